//! Questions for the calculator and the clock, with the call that answers them. It calculates nothing.

use serde_json::{Value, json};

use crate::dice::Dice;

/// A question and the call for it.
pub fn question(chinese: bool, places: &[(String, String, String)], dice: &mut Dice) -> (String, String) {
    if dice.percent(22) {
        return clock(chinese, places, dice);
    }
    let (question, expression) = if chinese { sum_zh(dice) } else { sum_en(dice) };
    (question, call("calculator", &json!({"expression": expression})))
}

/// The figures of one question: how they are said, and what is calculated with.
pub struct Figures {
    calculated: [String; 6],
    said: [String; 6],
}

/// What patterns and expressions call the figures: four numbers, a rate, and the figure of a Chinese discount (8 in "8折" is four fifths).
const NAMES: [&str; 6] = ["A", "B", "C", "E", "P", "D"];
/// Whole numbers are words now and then: those of one and two digits, in Chinese of up to four.
const ONES: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const ONES_ZH: [&str; 10] = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九"];

fn in_words(figure: &str, chinese: bool) -> Option<String> {
    let value: usize = figure.parse().ok()?;
    match (value, chinese) {
        (2..20, false) => Some(ONES[value].to_owned()),
        (20..100, false) if value % 10 == 0 => Some(TENS[value / 10].to_owned()),
        (20..100, false) => Some(format!("{}-{}", TENS[value / 10], ONES[value % 10])),
        (100, false) => Some("a hundred".to_owned()),
        (2..10_000, true) => Some(in_chinese(value)),
        _ => None,
    }
}

fn in_chinese(value: usize) -> String {
    let mut written = String::new();
    let mut skipped = false;
    for (weight, name) in [(1000, "千"), (100, "百"), (10, "十"), (1, "")] {
        let digit = value / weight % 10;
        if digit == 0 {
            skipped = !written.is_empty();
            continue;
        }
        if std::mem::take(&mut skipped) {
            written += ONES_ZH[0];
        }
        // Ten to nineteen begin with the ten.
        if !(weight == 10 && digit == 1 && written.is_empty()) {
            written += ONES_ZH[digit];
        }
        written += name;
    }
    written
}

impl Figures {
    /// Figures for an expression.
    pub fn draw(expression: &str, chinese: bool, dice: &mut Dice) -> Self {
        let scales = expression.contains(['*', '/']) && !expression.contains('%');
        let mut calculated = [number(dice), number(dice), number(dice), number(dice), rate(dice), discount(dice)];
        for figure in &mut calculated[1..4] {
            if scales && dice.percent(45) {
                *figure = dice.between(2, 40).to_string();
            }
        }
        let money = !chinese && dice.percent(7);
        let sign = *dice.of(&["$", "€", "£"]);
        let mut said = calculated.clone();
        for (at, figure) in said.iter_mut().enumerate().take(4) {
            let often = if figure.len() == 1 { 22 } else { 9 };
            *figure = match in_words(figure, chinese) {
                Some(words) if dice.percent(often) => words,
                _ if dice.percent(30) => apart(figure),
                _ => figure.clone(),
            };
            if money && at == 0 && figure.starts_with(|first: char| first.is_ascii_digit()) {
                figure.insert_str(0, sign);
            }
        }
        Figures { calculated, said }
    }

    /// A figure by the name that patterns use.
    pub fn said(&self, name: &str) -> Option<String> {
        NAMES.iter().position(|one| *one == name).map(|at| self.said[at].clone())
    }

    /// The call that calculates this expression.
    pub fn call(&self, expression: &str) -> String {
        let mut filled = expression.to_owned();
        for (name, figure) in NAMES.iter().zip(&self.calculated) {
            filled = filled.replace(name, figure);
        }
        call("calculator", &json!({"expression": filled}))
    }
}

fn discount(dice: &mut Dice) -> String {
    match dice.percent(60) {
        true => dice.between(1, 9).to_string(),
        false => format!("{}{}", dice.between(5, 9), dice.between(1, 9)),
    }
}

/// The call that asks for the time here, or where a timezone is named.
pub fn clock_call(timezone: Option<&str>) -> String {
    call("clock", &timezone.map_or(json!({}), |timezone| json!({"timezone": timezone})))
}

/// What a tool answers to such a call, in its own form, and what is said of it. The figures are anybody's: what is to be learned is to say them.
pub fn answered(call: &str, chinese: bool, dice: &mut Dice) -> (String, String) {
    let (told, said) = if call.contains("\"clock\"") { moment(call, chinese, dice) } else { result(chinese, dice) };
    (format!("<tool_response>\n{told}\n</tool_response>"), said)
}

fn result(chinese: bool, dice: &mut Dice) -> (String, String) {
    let sign = if dice.percent(8) { "-" } else { "" };
    let told = match dice.below(10) {
        0 => format!("≈ {sign}{}.{:06}{:06}", dice.below(1_000), dice.below(1_000_000), dice.below(1_000_000)),
        1 | 2 => format!("{sign}{}.{}", dice.between(0, 99_999), dice.between(1, 9)),
        3 | 4 => format!("{sign}{}.{:02}", dice.between(0, 9_999), dice.between(1, 99)),
        _ => format!("{sign}{}", number(dice).split('.').next().unwrap_or_default()),
    };
    let said = if chinese { format!("结果是 {told}。") } else { format!("The result is {told}.") };
    (told, said)
}

fn moment(call: &str, chinese: bool, dice: &mut Dice) -> (String, String) {
    const DAYS: [(&str, &str); 7] = [
        ("Monday", "星期一"),
        ("Tuesday", "星期二"),
        ("Wednesday", "星期三"),
        ("Thursday", "星期四"),
        ("Friday", "星期五"),
        ("Saturday", "星期六"),
        ("Sunday", "星期日"),
    ];
    let zone = call.split('"').find(|part| part.contains('/')).unwrap_or("UTC");
    let (day, tag) = *dice.of(&DAYS);
    let date = format!("{}-{:02}-{:02}", dice.between(2026, 2035), dice.between(1, 12), dice.between(1, 28));
    let (time, second) = (format!("{:02}:{:02}", dice.below(24), dice.below(60)), dice.below(60));
    let offset = if zone == "UTC" {
        "+00:00"
    } else {
        dice.of::<&str>(&["+08:00", "+01:00", "-05:00", "+09:00", "+05:30", "-03:00", "+02:00", "-08:00"])
    };
    let ms = dice.between(1_767_225_600, 2_082_758_400) * 1000 + dice.between(0, 999);
    let told = format!(
        "{{\"time\":\"{date}T{time}:{second:02}{offset}\",\"weekday\":\"{day}\",\"timezone\":\"{zone}\",\"unix_ms\":{ms}}}"
    );
    let said = match chinese {
        true => format!("现在是 {date} {time}，{tag}（{zone}）。"),
        false => format!("It is {time} on {day}, {date} ({zone})."),
    };
    (told, said)
}

fn call(name: &str, arguments: &Value) -> String {
    let arguments = match arguments.as_object() {
        Some(map) if map.is_empty() => "{}".to_owned(),
        Some(map) => {
            let pairs: Vec<_> = map.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        None => String::new(),
    };
    format!("<tool_call>\n{{\"name\": \"{name}\", \"arguments\": {arguments}}}\n</tool_call>")
}

fn clock(chinese: bool, places: &[(String, String, String)], dice: &mut Dice) -> (String, String) {
    let place = dice.percent(65).then(|| dice.of(places));
    let name = place.map(|(en, zh, _)| if chinese { zh.as_str() } else { en.as_str() });
    let question = match (chinese, name) {
        (false, None) => dice
            .of(&[
                "What time is it",
                "What's the time",
                "What is the time now",
                "What date is it today",
                "What day is it",
                "Tell me the time",
                "Current time",
                "Which day of the week is it",
                "What is today's date",
                "Do you have the time",
                "Give me the current date",
                "How late is it",
                "What's the date",
                "Can you tell me the time",
                "Today's date, please",
                "Is it morning or evening now",
                "What month is it",
                "Which year is it now",
                "What time do we have",
                "Time",
                "Date and time",
                "Please check the clock",
            ])
            .to_string(),
        (false, Some(place)) => dice
            .of(&[
                "What time is it in <>",
                "What's the time in <>",
                "Tell me the time in <>",
                "What is the current time in <>",
                "<> time",
                "Which day is it in <>",
                "What date is it in <> now",
                "How late is it in <>",
                "Is it night in <>",
                "Local time in <>",
                "I call someone in <>: what time is it there",
                "What hour is it in <>",
                "Time now in <>",
                "Today's date in <>",
                "My colleague lives in <>. What time does she have",
                "Do you know what time it is over in <>",
                "Can you look up the clock in <>",
                "What does the clock say in <>",
                "Give me the date in <>",
            ])
            .replace("<>", place),
        (true, None) => dice
            .of(&[
                "现在几点",
                "现在几点了",
                "今天几号",
                "今天是几月几号",
                "今天星期几",
                "现在是什么时间",
                "告诉我时间",
                "几点了",
                "当前时间",
                "今天的日期",
                "请报时",
                "现在什么时候了",
                "今天礼拜几",
                "今年是哪一年",
                "这个月是几月",
                "看看时间",
                "帮我看一下现在的时间",
                "今天是什么日子",
                "日期和时间",
                "现在是上午还是下午",
                "查一下时间",
                "报一下时间",
            ])
            .to_string(),
        (true, Some(place)) => dice
            .of(&[
                "<>现在几点",
                "现在<>几点了",
                "<>时间",
                "<>今天几号",
                "<>现在是什么时间",
                "告诉我<>的时间",
                "查一下<>的时间",
                "<>当地时间是几点",
                "<>那边几点了",
                "请问<>现在是几点钟",
                "<>是白天还是晚上",
                "<>今天星期几",
                "我要给<>打电话，那边几点",
                "<>的日期是多少",
                "同事在<>，他那里现在几点",
                "看看<>的时钟",
                "<>此刻是什么时候",
                "帮我看下<>几点",
                "<>现在几号",
            ])
            .replace("<>", place),
    };
    let arguments = place.map_or(json!({}), |(_, _, iana)| json!({"timezone": iana}));
    (question, call("clock", &arguments))
}

/// A number as it is said and as it is calculated with.
fn number(dice: &mut Dice) -> String {
    let digits = *dice.of(&[1, 1, 2, 2, 2, 3, 3, 4, 4, 5]);
    let whole = dice.between(if digits == 1 { 1 } else { 10_i64.pow(digits - 1) }, 10_i64.pow(digits) - 1);
    match dice.below(8) {
        0 => format!("{whole}.{}", dice.between(1, 9)),
        1 => format!("{whole}.{:02}", dice.between(1, 99)),
        _ => whole.to_string(),
    }
}

/// A number with a comma before each three of its whole digits.
fn apart(number: &str) -> String {
    let whole = number.find('.').unwrap_or(number.len());
    let comma = |at: usize| at > 0 && at < whole && (whole - at) % 3 == 0;
    number.char_indices().flat_map(|(at, digit)| comma(at).then_some(',').into_iter().chain([digit])).collect()
}

fn rate(dice: &mut Dice) -> String {
    match dice.below(5) {
        0 => format!("{}.{}", dice.below(30), dice.between(1, 9)),
        _ => dice.between(1, 95).to_string(),
    }
}

fn fill(pattern: &str, parts: [&str; 4]) -> String {
    let [a, b, c, p] = parts;
    pattern.replace("A", a).replace("B", b).replace("C", c).replace("P", p)
}

fn sum_en(dice: &mut Dice) -> (String, String) {
    const SUMS: &[(&str, &[&str])] = &[
        (
            "A + B",
            &[
                "A plus B",
                "add A and B",
                "the sum of A and B",
                "A and B together",
                "A + B",
                "A+B",
                "what do A and B make",
                "if I have A and get B more",
                "one bill is A, another is B; the total",
                "I walked A km and then B km, how far in all",
                "increase A by B",
                "put A and B together",
                "there are A cars and B more arrive, how many are there",
                "A euros and B euros in total",
                "the total of A and B",
                "what is A more than B",
                "add B to A",
                "A dollars of rent and B dollars of food, what do I pay",
                "we sold A on Monday and B on Tuesday, how many in all",
                "join A and B into one sum",
            ],
        ),
        (
            "A - B",
            &[
                "A minus B",
                "subtract B from A",
                "the difference between A and B",
                "A - B",
                "A-B",
                "take B away from A",
                "A less B",
                "I have A and spend B, what is left",
                "how much more is A than B",
                "decrease A by B",
                "from A remove B",
                "deduct B from A",
                "there were A and B are gone, how many remain",
                "a bag holds A and B fall out, what remains",
                "what is left of A after B",
                "A is how much bigger than B",
                "the gap between A and B",
                "out of A pages I read B, how many are left",
                "I owe A and pay back B, what do I still owe",
                "what must be added to B to get A",
                "my budget is A and I used B, the rest",
            ],
        ),
        (
            "A * B",
            &[
                "A times B",
                "multiply A by B",
                "the product of A and B",
                "A * B",
                "A*B",
                "A x B",
                "A × B",
                "A multiplied by B",
                "A boxes with B pieces each, how many pieces",
                "one costs A, what do B cost",
                "B tickets at A each",
                "A rows of B seats, how many seats",
                "A hours at B an hour",
                "a car drives A km a day for B days, how far",
                "A people pay B each, how much together",
                "B items priced A each",
                "A packs of B eggs",
                "the area of a field A by B",
                "A days with B hours each",
                "B months at A a month, in total",
                "a worker makes A parts an hour, how many in B hours",
            ],
        ),
        (
            "A / B",
            &[
                "A divided by B",
                "divide A by B",
                "A / B",
                "A/B",
                "A ÷ B",
                "split A into B equal parts",
                "A shared by B people",
                "the quotient of A and B",
                "A over B",
                "how many times does B go into A",
                "B people share A equally, how much does each get",
                "distribute A among B",
                "A euros for B friends, what does each get",
                "A km in B hours, how many per hour",
                "how often does B fit in A",
                "a rope of A metres is cut in B pieces, how long is each",
                "A cut into B parts",
                "A spread over B months",
                "the ratio of A to B",
                "each of B children gets how much of A",
            ],
        ),
        (
            "A * P%",
            &[
                "P% of A",
                "P percent of A",
                "what is P% of A",
                "P per cent of A",
                "how much is P percent of A",
                "a tip of P% on A",
                "tax of P% on A",
                "calculate P% from A",
                "the P% share of A",
                "interest of P% on A",
                "P% from A",
                "what amount is P% of A",
                "a commission of P% on A",
                "A at P% tax, the tax",
                "P% of the budget of A",
                "take P% of A",
                "find P percent of A",
            ],
        ),
        (
            "A * (1 + P%)",
            &[
                "A plus P%",
                "increase A by P%",
                "A with P% added",
                "add P percent to A",
                "A plus P percent tax",
                "a price of A rises by P%",
                "raise A by P percent",
            ],
        ),
        (
            "A * (1 - P%)",
            &[
                "A minus P%",
                "reduce A by P%",
                "A with a discount of P%",
                "take P percent off A",
                "A less P percent",
                "a price of A falls by P%",
                "decrease A by P%",
                "P% off A",
            ],
        ),
        (
            "A + B + C",
            &[
                "A + B + C",
                "A plus B plus C",
                "the sum of A, B and C",
                "add A, B and C",
                "A and B and C together",
                "A+B+C",
            ],
        ),
        (
            "(A + B) * C",
            &[
                "(A + B) * C",
                "(A+B)*C",
                "the sum of A and B, times C",
                "add A and B, then multiply by C",
                "C times the sum of A and B",
                "A plus B, all multiplied by C",
                "(A plus B) times C",
            ],
        ),
        (
            "(A - B) * C",
            &[
                "(A - B) * C",
                "(A-B)*C",
                "the difference of A and B, times C",
                "subtract B from A and multiply by C",
                "(A minus B) times C",
            ],
        ),
        (
            "(A + B) / C",
            &[
                "(A + B) / C",
                "the sum of A and B divided by C",
                "add A and B, then divide by C",
                "(A plus B) divided by C",
                "(A+B)/C",
            ],
        ),
        (
            "(A - B) / C",
            &[
                "(A - B) / C",
                "(A-B)/C",
                "subtract B from A, then divide by C",
                "the difference of A and B divided by C",
                "(A minus B) divided by C",
            ],
        ),
        (
            "A * B + C",
            &[
                "A * B + C",
                "A times B plus C",
                "multiply A by B and add C",
                "A*B+C",
                "A x B + C",
                "B pieces at A each plus C for shipping",
            ],
        ),
        ("A * B - C", &["A * B - C", "A times B minus C", "multiply A by B and subtract C", "A*B-C"]),
        ("A + B * C", &["A + B * C", "A plus B times C", "A+B*C"]),
        ("A - B - C", &["A - B - C", "A minus B minus C", "from A take B and C", "I had A, spent B and then C"]),
        ("A / B + C", &["A / B + C", "A divided by B plus C", "divide A by B and add C"]),
        ("A * B * C", &["A * B * C", "A times B times C", "the volume of a box A by B by C", "multiply A, B and C"]),
        ("(A + B) / 2", &["the average of A and B", "the mean of A and B", "halfway between A and B"]),
        ("(A + B + C) / 3", &["the average of A, B and C", "the mean of A, B and C"]),
        ("A * A", &["A squared", "the square of A", "A to the power of two"]),
        ("A / 2", &["half of A", "A halved"]),
        ("A * 2", &["twice A", "double A", "the double of A"]),
        ("A * 3", &["three times A", "triple A"]),
    ];
    const FRAMES: &[&str] = &[
        "<>",
        "<>",
        "<>",
        "What is <>",
        "Calculate <>",
        "How much is <>",
        "Compute <>",
        "Please work out <>",
        "Tell me <>",
        "What's <>",
        "Can you calculate <>",
        "Work out <>",
        "I need <>",
        "Give me the result of <>",
        "Evaluate <>",
        "Find <>",
        "Could you tell me <>",
        "What do I get for <>",
        "Please calculate <>",
    ];
    framed(SUMS, FRAMES, dice)
}

fn sum_zh(dice: &mut Dice) -> (String, String) {
    const SUMS: &[(&str, &[&str])] = &[
        (
            "A + B",
            &[
                "A加B",
                "A加上B",
                "A与B的和",
                "A和B相加",
                "A + B",
                "A+B",
                "我有A元又得到B元，一共",
                "A和B的总和",
                "把A和B加起来",
                "两笔钱A和B合计",
                "走了A公里又走了B公里，共",
                "A增加B",
                "A再加B",
                "上午卖了A件，下午卖了B件，共卖出",
                "原来有A个，又来了B个，现在有",
                "A元房租和B元伙食费一共",
                "A与B之和",
                "A和B加在一起",
                "周一A人，周二B人，合计",
                "A米再接上B米，总长",
                "A跟B的合计",
                "存了A元后又存B元，共存",
            ],
        ),
        (
            "A - B",
            &[
                "A减B",
                "A减去B",
                "A与B的差",
                "A - B",
                "A-B",
                "从A里减B",
                "我有A元花了B元，还剩",
                "A比B多",
                "A扣除B",
                "A去掉B",
                "原有A个，用掉B个，剩下",
                "A减少B",
                "从A中扣掉B",
                "A页的书看了B页，还剩",
                "欠A元还了B元，还欠",
                "A和B相差",
                "预算A元用了B元，剩余",
                "A与B差",
                "A比B大",
                "库存A件卖出B件，剩",
                "B加上几等于A",
            ],
        ),
        (
            "A * B",
            &[
                "A乘B",
                "A乘以B",
                "A与B的积",
                "A * B",
                "A*B",
                "A×B",
                "每箱A个，B箱共有",
                "单价A元，买B件要",
                "A的B倍",
                "一张票A元，B张票",
                "每天A，B天共",
                "A排每排B个座位，共有",
                "时薪A元，工作B小时",
                "每月A元，B个月共",
                "每人A元，B人一共",
                "长A宽B的面积",
                "A箱货每箱B件，总件数",
                "每小时走A公里，B小时走",
                "A和B相乘",
                "买B个单价A元的东西",
                "B个A是",
            ],
        ),
        (
            "A / B",
            &[
                "A除以B",
                "A / B",
                "A/B",
                "A÷B",
                "把A平均分成B份，每份",
                "B个人平分A，每人",
                "A与B的商",
                "A被B除",
                "A元分给B个人，每人得",
                "A里有几个B",
                "A分成B等份",
                "A公里走了B小时，平均每小时",
                "A米的绳子剪成B段，每段",
                "A个苹果分给B个孩子，每人",
                "A除B份",
                "B个月共A元，平均每月",
                "A比B的比值",
                "A元买了B件，每件",
            ],
        ),
        (
            "A * P%",
            &[
                "A的P%",
                "A的百分之P",
                "P%的A",
                "求A的百分之P",
                "A按P%计税，税款",
                "A元的P%",
                "A的百分之P等于",
                "A元存款利率P%，利息",
                "A乘以P%",
            ],
        ),
        (
            "A * (1 + P%)",
            &["A增加P%", "A上涨P%", "A加上P%的税", "A提高百分之P后", "A涨价P%", "A增长百分之P", "A上浮P%"],
        ),
        ("A * (1 - P%)", &["A减少P%", "A下降P%", "A降价P%后", "A优惠百分之P", "A减去百分之P", "A便宜P%", "A下调P%"]),
        (
            "A + B + C",
            &["A + B + C", "A加B加C", "A、B、C的和", "A、B和C相加", "A+B+C", "A、B、C一共", "三笔支出A、B、C合计"],
        ),
        (
            "(A + B) * C",
            &[
                "(A + B) * C",
                "(A+B)*C",
                "A加B的和乘以C",
                "A与B的和的C倍",
                "先把A和B相加，再乘C",
                "A加B再乘以C的结果",
                "（A+B）×C",
                "A与B之和乘C",
            ],
        ),
        ("(A - B) * C", &["(A - B) * C", "(A-B)*C", "A减B的差乘以C", "先用A减B，再乘C", "（A-B）×C", "A与B的差乘C"]),
        (
            "(A + B) / C",
            &["(A + B) / C", "(A+B)/C", "A加B的和除以C", "先把A和B相加，再除以C", "（A+B）÷C", "A与B之和除以C"],
        ),
        (
            "(A - B) / C",
            &["(A - B) / C", "(A-B)/C", "A减B的差除以C", "先用A减B，再除以C", "（A-B）÷C", "A与B的差除以C"],
        ),
        ("A * B + C", &["A * B + C", "A乘B加C", "A*B+C", "A乘以B再加C", "A×B+C", "单价A元买B件，运费C元，共"]),
        ("A * B - C", &["A * B - C", "A乘B减C", "A*B-C", "A乘以B再减C", "A×B-C"]),
        ("A + B * C", &["A + B * C", "A加B乘C", "A+B*C", "A+B×C"]),
        ("A - B - C", &["A - B - C", "A减B再减C", "A-B-C", "有A元，先花B元再花C元，剩"]),
        ("A / B + C", &["A / B + C", "A除以B再加C", "A÷B+C"]),
        ("A * B * C", &["A * B * C", "A乘B乘C", "长A宽B高C的体积", "A×B×C"]),
        ("(A + B) / 2", &["A和B的平均数", "A与B的平均值", "A、B的均值"]),
        ("(A + B + C) / 3", &["A、B、C的平均数", "A、B和C的平均值"]),
        ("A * A", &["A的平方", "A的二次方", "边长A的正方形面积"]),
        ("A / 2", &["A的一半", "A的二分之一"]),
        ("A * 2", &["A的两倍", "A翻一番"]),
        ("A * 3", &["A的三倍"]),
    ];
    const FRAMES: &[&str] = &[
        "<>",
        "<>是多少",
        "<>等于多少",
        "<>等于几",
        "计算<>",
        "请计算<>",
        "帮我算一下<>",
        "算算<>",
        "<>得多少",
        "求<>",
        "<>多少",
        "<>结果是多少",
        "请问<>是多少",
        "<>=",
        "<>的结果",
        "麻烦算一下<>",
        "<>是几",
        "我想知道<>是多少",
    ];
    framed(SUMS, FRAMES, dice)
}

fn framed(sums: &[(&str, &[&str])], frames: &[&str], dice: &mut Dice) -> (String, String) {
    // The first kinds are asked most.
    let kind = if dice.percent(65) { dice.below(7) } else { dice.below(sums.len()) };
    let (expression, wordings) = sums[kind];
    let (a, b, c, p) = (number(dice), number(dice), number(dice), rate(dice));
    let parts = [a.as_str(), b.as_str(), c.as_str(), p.as_str()];
    // Thousands are set apart in many a question; a calculation has no such commas.
    let shown = parts.map(|part| if dice.percent(35) { apart(part) } else { part.to_owned() });
    let said = fill(wordings[dice.below(wordings.len())], shown.each_ref().map(String::as_str));
    (dice.of(frames).replace("<>", &said), fill(expression, parts))
}

#[cfg(test)]
mod tests;
