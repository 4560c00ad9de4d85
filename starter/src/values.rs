//! Names, figures, dates and words that nobody can know beforehand: what is copied is learned as copying. It knows no sentences.

use crate::dice::Dice;

const SURNAMES: &str = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤";
const GIVEN: &str = "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂文华红玉建国志新海燕春梅晓东波宁福生龙元全胜学祥才发利清飞彬富顺信子昌成康星光天达安岩中茂进林有坚和彪博诚先敬震振壮会思群豪心邦承乐绍功松善厚庆民友裕河哲江浩亮政谦亨奇固之轮翰朗伯宏言若鸣朋斌梁栋维启克伦翔旭鹏泽晨辰士以家致树炎德行时泰盛雄琛钧冠策腾楠榕风航弘雪雅琴倩欣悦婷雨萱诗涵梓轩睿宇一诺可馨嘉怡欢语彤紫瑶月如意思琪";
const FIRM: &str = "华东方新金海天正大中恒信達达盛通源瑞泰安康宏远光明星辰云峰汇聚宇宙科创智联顺丰百年永利兴隆瑞祥德润嘉禾绿野青松白鹭飞鹿银河山川雅致博雅蓝图卓越启航精诚长城黄鹤紫荆锦绣众鑫益民同仁鼎力凯旋腾龙奥维美佳乐福晨曦朝阳皓月沐雨清泉石磊木森水淼";
const PLACES: &str = "北南东西江河湖海山云川林城州阳安宁平武汉昌沙广深苏杭温台青济烟潍洛郑开石唐邯太原大连沈吉春哈尔滨长西咸宝兰银乌鲁木齐昆明贵成都重庆绵德自贡泸宜丽水嘉兴绍金衢舟无锡常徐淮盐扬镇泰宿合肥芜蚌马铜福厦莆三明泉漳龙岩";
const TRADES: &str = "科技|贸易|建筑|物流|食品|医药|电子|机械|纺织|咨询|软件|化工|建材|地产|农业|传媒|能源|环保|家具|汽车|设备|装饰|旅游|教育|印刷|仪器|服饰|钢铁";
const FORMS: &str = "有限公司|有限责任公司|股份有限公司|集团|公司|厂|中心|事务所|商行|合作社|研究所|工作室";
const ONSETS: &str = "b|br|c|ch|d|dr|f|fr|g|gr|h|j|k|kl|l|m|n|p|pr|qu|r|s|sh|sk|st|t|th|tr|v|w|y|z||";
const VOWELS: &str = "a|e|i|o|u|a|e|o|ai|ea|ee|ia|ie|oa|ou";
const CODAS: &str = "|||n|r|s|l|t|m|ck|ng|nd|rt|x|d|ll|sk";
const SUFFIXES: &str = "Ltd|Ltd.|GmbH|Inc.|Inc|LLC|AG|Group|Partners|Holdings|& Sons|plc|Corporation|Co.|S.A.|Works|Bank|Logistics|Trading|Systems|Foods|Studio|Foundation|University|Hospital|Institute|& <>|Brothers|Industries|Consulting|Shipping|Textiles|Energy|Motors|Press|Bakery|Insurance|Pharmacy";
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const CODES: [&str; 12] = ["EUR", "USD", "GBP", "CHF", "CNY", "JPY", "RMB", "HKD", "AUD", "CAD", "SGD", "SEK"];
const UNITS: [&str; 14] = [
    "euros",
    "dollars",
    "pounds",
    "yuan",
    "francs",
    "yen",
    "crowns",
    "US dollars",
    "euro",
    "Swiss francs",
    "Hong Kong dollars",
    "rupees",
    "Canadian dollars",
    "pesos",
];
const FIGURES: &str = "零壹贰叁肆伍陆柒捌玖";
const PLAIN: &str = "零一二三四五六七八九";

/// A value of a kind, or `None` where there is no such kind.
pub fn value(kind: &str, dice: &mut Dice) -> Option<String> {
    Some(match kind {
        "party_en" => match dice.percent(60) {
            true => company_en(dice),
            false => person_en(dice),
        },
        "party_zh" => match dice.below(10) {
            0..6 => company_zh(dice),
            6..9 => person_zh(dice),
            _ => company_en(dice),
        },
        "en_person" => person_en(dice),
        "en_company" => company_en(dice),
        "en_place" => name(dice),
        "zh_person" => person_zh(dice),
        "zh_company" => company_zh(dice),
        "zh_place" => letters(PLACES, 2, dice) + *dice.of(&["市", "县", "", "", "镇"]),
        "amount_en" => amount_en(dice),
        "amount_zh" => amount_zh(dice),
        "date_en" => date_en(dice),
        "date_zh" => date_zh(dice),
        "number" => string(dice),
        "string" => string(dice),
        "year" => dice.between(1200, 2030).to_string(),
        "later_year" => dice.between(1998, 2039).to_string(),
        "month" => dice.between(1, 12).to_string(),
        "day" => dice.between(1, 28).to_string(),
        "thousands" => {
            let digits = 2 + dice.below(5) as u32;
            let whole = dice.between(10_i64.pow(digits - 1), 10_i64.pow(digits) - 1);
            if dice.percent(55) { grouped(whole) } else { whole.to_string() }
        }
        "en_word" => word(dice).to_lowercase(),
        "zh_word" => {
            let length = 1 + dice.below(3);
            hanzi(length, dice)
        }
        "word" => match dice.percent(50) {
            true => word(dice).to_lowercase(),
            false => hanzi(2, dice),
        },
        _ => return None,
    })
}

fn split<'a>(list: &'a str, dice: &mut Dice) -> &'a str {
    let all: Vec<&str> = list.split('|').collect();
    all[dice.below(all.len())]
}

fn letters(from: &str, count: usize, dice: &mut Dice) -> String {
    let all: Vec<char> = from.chars().collect();
    (0..count).map(|_| *dice.of(&all)).collect()
}

/// Any of the characters that Chinese writes with, rare ones, too.
fn hanzi(count: usize, dice: &mut Dice) -> String {
    (0..count)
        .map(|_| match dice.percent(70) {
            true => letters(&[SURNAMES, GIVEN, FIRM, PLACES].concat(), 1, dice),
            false => char::from_u32(dice.between(0x4e00, 0x9fa5) as u32).map(String::from).unwrap_or_default(),
        })
        .collect()
}

fn word(dice: &mut Dice) -> String {
    let mut word = String::new();
    for _ in 0..1 + dice.below(3) {
        word += split(ONSETS, dice);
        word += split(VOWELS, dice);
    }
    word += split(CODAS, dice);
    word
}

fn name(dice: &mut Dice) -> String {
    let word = word(dice);
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().collect::<String>() + letters.as_str()).unwrap_or_default()
}

fn person_en(dice: &mut Dice) -> String {
    let (first, last) = (name(dice), name(dice));
    match dice.below(12) {
        0 => format!("{first} {}. {last}", name(dice).chars().next().unwrap_or('A')),
        1 => format!("{} {last}", dice.of(&["Mr", "Ms", "Dr", "Mr.", "Mrs.", "Dr.", "Prof."])),
        2 => format!("{first} {last}-{}", name(dice)),
        _ => format!("{first} {last}"),
    }
}

fn company_en(dice: &mut Dice) -> String {
    let suffix = split(SUFFIXES, dice).replace("<>", &name(dice));
    match dice.below(10) {
        0..6 => format!("{} {suffix}", name(dice)),
        6..8 => format!("{} {} {suffix}", name(dice), name(dice)),
        8 => format!("{}-{} {suffix}", name(dice), name(dice)),
        _ => format!(
            "{} {}",
            name(dice),
            split("Trading Ltd|Foods GmbH|Software Inc.|Shipping Co.|City Council|Music School", dice)
        ),
    }
}

fn person_zh(dice: &mut Dice) -> String {
    let surname = match dice.percent(94) {
        true => letters(SURNAMES, 1, dice),
        false => dice.of(&["欧阳", "司马", "上官", "诸葛", "慕容", "令狐", "端木", "皇甫"]).to_string(),
    };
    let count = 1 + usize::from(dice.percent(70));
    let given = match dice.percent(65) {
        true => letters(GIVEN, count, dice),
        false => hanzi(count, dice),
    };
    surname + &given + if dice.percent(6) { *dice.of(&["先生", "女士"]) } else { "" }
}

fn company_zh(dice: &mut Dice) -> String {
    let place = if dice.percent(60) { letters(PLACES, 2, dice) + *dice.of(&["", "", "市"]) } else { String::new() };
    let count = 2 + dice.below(2);
    let firm = match dice.percent(60) {
        true => letters(FIRM, count, dice),
        false => hanzi(count, dice),
    };
    let trade = if dice.percent(85) { split(TRADES, dice) } else { "" };
    format!("{place}{firm}{trade}{}", split(FORMS, dice))
}

fn figure(dice: &mut Dice) -> String {
    let digits = 2 + dice.below(6) as u32;
    let whole = dice.between(10_i64.pow(digits - 1), 10_i64.pow(digits) - 1);
    let whole = if dice.percent(45) { whole / 100 * 100 + if digits < 3 { whole } else { 0 } } else { whole };
    let whole = if dice.percent(60) { grouped(whole) } else { whole.to_string() };
    match dice.below(5) {
        0 => format!("{whole}.{:02}", dice.below(100)),
        _ => whole,
    }
}

fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn amount_en(dice: &mut Dice) -> String {
    let figure = figure(dice);
    match dice.below(10) {
        0..3 => format!("{}{figure}", dice.of(&["$", "€", "£", "¥"])),
        3..6 => format!("{} {figure}", dice.of(&CODES)),
        6 => format!("{figure} {}", dice.of(&CODES)),
        7 => format!("{}{}.{} million", dice.of(&["$", "€", "£", "EUR ", "USD "]), dice.between(1, 90), dice.below(10)),
        _ => format!("{figure} {}", dice.of(&UNITS)),
    }
}

fn amount_zh(dice: &mut Dice) -> String {
    let figure = figure(dice);
    match dice.below(12) {
        0..4 => format!("{figure}元"),
        4 => format!("人民币{figure}元"),
        5 => format!("¥{figure}"),
        6 => format!("{}.{}万元", dice.between(1, 900), dice.below(10)),
        7 => format!("{}万元", dice.between(1, 900)),
        8 => format!(
            "{figure}{}",
            dice.of(&["美元", "欧元", "港元", "日元", "英镑", "元整", "块钱", "瑞士法郎", "新加坡元"])
        ),
        9 => format!("人民币{}{}", in_words(dice, FIGURES, "拾佰仟"), dice.of(&["元整", "元", "万元", "万元整"])),
        10 => format!("{}{}", in_words(dice, PLAIN, "十百千"), dice.of(&["元", "万元", "美元"])),
        _ => format!("{}亿元", dice.between(1, 90)),
    }
}

/// A number of one to four places, each written with its weight.
fn in_words(dice: &mut Dice, figures: &str, weights: &str) -> String {
    let (figures, weights): (Vec<char>, Vec<char>) = (figures.chars().collect(), weights.chars().collect());
    let places = 1 + dice.below(4);
    let mut out = String::new();
    for place in (0..places).rev() {
        if place + 1 < places && dice.percent(30) {
            continue;
        }
        out.push(figures[1 + dice.below(9)]);
        if place > 0 {
            out.push(weights[place - 1]);
        }
    }
    out
}

fn date_en(dice: &mut Dice) -> String {
    let (year, month, day) = (dice.between(1995, 2039), dice.below(12), dice.between(1, 28));
    let name = MONTHS[month];
    let ending = match day {
        1 | 21 => "st",
        2 | 22 => "nd",
        3 | 23 => "rd",
        _ => "th",
    };
    match dice.below(12) {
        0..3 => format!("{day} {name} {year}"),
        3..6 => format!("{name} {day}, {year}"),
        6..8 => format!("{year}-{:02}-{day:02}", month + 1),
        8 => format!("{day:02}/{:02}/{year}", month + 1),
        9 => format!("{name} {day}{ending}, {year}"),
        10 => format!("{}, {day} {name} {year}", dice.of(&DAYS)),
        _ => format!("{day:02}.{:02}.{year}", month + 1),
    }
}

fn date_zh(dice: &mut Dice) -> String {
    let (year, month, day) = (dice.between(1995, 2039), dice.between(1, 12), dice.between(1, 28));
    match dice.below(10) {
        0..6 => format!("{year}年{month}月{day}日"),
        6 => format!("{year}-{month:02}-{day:02}"),
        7 => format!("{month}月{day}日"),
        8 => format!("{year}/{month}/{day}"),
        _ => {
            let plain: Vec<char> = "〇一二三四五六七八九".chars().collect();
            let year: String = year.to_string().bytes().map(|digit| plain[usize::from(digit - b'0')]).collect();
            format!("{year}年{}月{}日", small(month, &plain), small(day, &plain))
        }
    }
}

fn small(number: i64, plain: &[char]) -> String {
    let (tens, ones) = ((number / 10) as usize, (number % 10) as usize);
    let mut out = String::new();
    if tens > 1 {
        out.push(plain[tens]);
    }
    if tens > 0 {
        out.push('十');
    }
    if ones > 0 {
        out.push(plain[ones]);
    }
    out
}

fn string(dice: &mut Dice) -> String {
    (0..2 + dice.below(6))
        .map(|_| match dice.below(4) {
            0 => char::from(b'A' + dice.below(26) as u8).to_string(),
            1 => "-".to_owned() + &dice.below(10).to_string(),
            _ => dice.below(10).to_string(),
        })
        .collect::<String>()
        .trim_start_matches('-')
        .to_owned()
}
