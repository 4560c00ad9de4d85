//! What tokens of a model of one's own cost, beside what somebody else asks for them: capital over its life, power, and what the machine was
//! measured to do. All money is in millionths of one currency, all sums are whole numbers; what was assumed is in the arguments.

/// Seconds of a year of 365 days.
pub const YEAR: i128 = 365 * 24 * 3_600;

/// A machine and what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owned {
    /// What it cost, in millionths.
    pub capital: i64,
    /// For how many months it is used.
    pub life_months: u32,
    /// The share of the time in which it works, in hundredths of a percent: 6,000 is 60 %.
    pub utilisation: u32,
    /// While it works.
    pub busy_watts: u32,
    /// While it does not.
    pub idle_watts: u32,
    /// A kilowatt hour, in millionths.
    pub tariff: i64,
    /// Tokens a second that it reads while it does nothing else, all requests together; measured.
    pub prefill: u32,
    /// Tokens a second that it writes while it does nothing else, all requests together; measured.
    pub decode: u32,
}

/// What somebody asks for a million tokens, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Tokens read.
    pub input: i64,
    /// Tokens written.
    pub output: i64,
}

/// Tokens of some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Tokens read.
    pub input: u64,
    /// Tokens written.
    pub output: u64,
}

/// What it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// A year of the machine, in millionths: capital and power.
    pub year: i64,
    /// Of that, power.
    pub power: i64,
    /// A million tokens, in millionths, at this utilisation. A second of work costs the same whatever it is spent on, so tokens read and
    /// written cost in proportion to the time that they take.
    pub million: Price,
}

impl Price {
    /// What this traffic costs, in millionths, rounded to the nearest.
    pub fn of(&self, traffic: Traffic) -> i64 {
        let sum =
            i128::from(self.input) * i128::from(traffic.input) + i128::from(self.output) * i128::from(traffic.output);
        whole(rounded(sum, 1_000_000))
    }
}

impl Owned {
    /// A year of it, and a million tokens.
    pub fn cost(&self) -> Cost {
        let capital = rounded(i128::from(self.capital) * 12, i128::from(self.life_months.max(1)));
        // Watt seconds of a year, at both loads; a kilowatt hour has 3,600,000 of them.
        let busy = i128::from(self.utilisation.min(10_000));
        let watts = i128::from(self.busy_watts) * busy + i128::from(self.idle_watts) * (10_000 - busy);
        let power = rounded(watts * YEAR * i128::from(self.tariff), 10_000 * 3_600_000);
        let year = capital + power;
        let million = |speed: u32| {
            let tokens = i128::from(speed) * YEAR * busy / 10_000;
            whole(if tokens == 0 { i128::from(i64::MAX) } else { rounded(year * 1_000_000, tokens) })
        };
        let million = Price { input: million(self.prefill), output: million(self.decode) };
        Cost { year: whole(year), power: whole(power), million }
    }

    /// The share of its working time that this traffic of a year takes, in hundredths of a percent. More than 10,000: it is too much for it.
    pub fn share(&self, traffic: Traffic) -> u64 {
        let busy = YEAR * i128::from(self.utilisation.min(10_000)) / 10_000;
        // In millionths of a second, so that little traffic is not nothing.
        let took = |tokens: u64, speed: u32| i128::from(tokens) * 1_000_000 / i128::from(speed.max(1));
        let took = took(traffic.input, self.prefill) + took(traffic.output, self.decode);
        u64::try_from(rounded(took * 10_000, busy.max(1) * 1_000_000)).unwrap_or(u64::MAX)
    }

    /// The utilisation, in hundredths of a percent, from which on its tokens cost no more than at this price, for a traffic of this shape;
    /// `None` where it never gets there.
    pub fn break_even(&self, price: Price, shape: Traffic) -> Option<u32> {
        let dear = |utilisation: u32| {
            let own = Owned { utilisation, ..*self }.cost().million;
            own.of(shape) > price.of(shape)
        };
        // The cost of a token falls with every hour of work, so that halving finds where it crosses.
        let (mut low, mut high) = (0_u32, 10_000_u32);
        if dear(high) {
            return None;
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if dear(middle) { low = middle } else { high = middle }
        }
        Some(high)
    }
}

/// What a published yearly figure takes for granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The price of written tokens that it comes to, where those that are read cost what is said; in millionths a million.
    pub output: i64,
    /// The share of the machine's working time that the traffic takes, in hundredths of a percent.
    pub share: u64,
    /// What a year of the whole machine may cost at most for that share to cost the figure, in millionths.
    pub year_at_most: i64,
}

/// What has to be true for this traffic of a year to cost `figure` on `owned`, where reading costs `input` a million.
pub fn claim(figure: i64, input: i64, traffic: Traffic, owned: &Owned) -> Claim {
    let read = rounded(i128::from(input) * i128::from(traffic.input), 1_000_000);
    let output = rounded((i128::from(figure) - read).max(0) * 1_000_000, i128::from(traffic.output).max(1));
    let share = owned.share(traffic);
    let year_at_most = rounded(i128::from(figure) * 10_000, i128::from(share).max(1));
    Claim { output: whole(output), share, year_at_most: whole(year_at_most) }
}

fn rounded(sum: i128, by: i128) -> i128 {
    (sum + by / 2).div_euclid(by)
}

fn whole(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: i64 = 1_000_000;
    /// 1 million calls of 1,000 tokens in and 1,000 out.
    const CALLS: Traffic = Traffic { input: 1_000_000_000, output: 1_000_000_000 };
    /// GPT-3.5 Turbo's list price: $0.5 and $1.5 a million.
    const TURBO: Price = Price { input: 500_000, output: 1_500_000 };

    /// A server with an A10G, as in the published comparison: 60 % busy, three years, 1,000 tokens a second in all.
    fn a10g() -> Owned {
        Owned {
            capital: 5_000 * ONE,
            life_months: 36,
            utilisation: 6_000,
            busy_watts: 400,
            idle_watts: 120,
            tariff: 120_000,
            prefill: 1_000,
            decode: 1_000,
        }
    }

    #[test]
    fn a_million_calls_at_list_price_cost_exactly_two_thousand() {
        assert_eq!(TURBO.of(CALLS), 2_000 * ONE, "$500.00 to read and $1,500.00 to write");
        assert_eq!(TURBO.of(Traffic { input: 1, output: 0 }), 1, "half a millionth is rounded, not lost");
    }

    #[test]
    fn a_year_of_the_machine_is_what_the_hand_calculates() {
        let cost = a10g().cost();
        // 400 W x 0.6 + 120 W x 0.4 = 288 W; x 8,760 h = 2,522.88 kWh; x $0.12 = $302.7456. $5,000 over 3 years = $1,666.666667.
        assert_eq!((cost.power, cost.year), (302_745_600, 1_969_412_267));
        // 31,536,000 s x 0.6 x 1,000 = 18,921,600,000 tokens: $1,969.412267 / 18,921.6 = $0.104083 a million.
        assert_eq!(cost.million, Price { input: 104_083, output: 104_083 });
        let slow = Owned { decode: 100, ..a10g() }.cost();
        assert_eq!(
            slow.million,
            Price { input: 104_083, output: 1_040_828 },
            "what takes ten times as long costs ten times as much"
        );
        assert_eq!(
            Owned { utilisation: 0, ..a10g() }.cost().million.input,
            i64::MAX,
            "who never works costs without end"
        );
    }

    #[test]
    fn two_hundred_a_year_is_true_only_of_a_share_of_a_cheap_machine() {
        let owned = a10g();
        // 3 years x 31,536,000 s x 60 % x 1,000 tokens/s = 56.8 billion tokens; 2 billion a year are 10.57 % of a year's 18.9 billion.
        let capacity = 3 * YEAR * 6 / 10 * 1_000;
        assert_eq!(format!("{:.1}", capacity as f64 / 1e9), "56.8");
        let claim = claim(200 * ONE, 50_000, CALLS, &owned);
        // Reading at $0.05 leaves $150 for a billion tokens written: $0.15 a million, which is not "nearly free".
        assert_eq!((claim.output, claim.share), (150_000, 1_057));
        // The rest of the machine has to be busy for somebody else, and a year of all of it cost $1,892 at most: $5,000 is too dear.
        assert_eq!(claim.year_at_most, 1_892_147_588);
        assert!(claim.year_at_most < owned.cost().year);
        // Bought for these calls alone, the machine costs what it costs.
        let share = owned.cost().million.of(CALLS);
        assert_eq!(share, 208_166_000, "its share of the year, where others pay for the rest");
        assert!(owned.cost().year > 9 * share, "alone it is more than nine times that");
    }

    #[test]
    fn it_breaks_even_where_the_price_is_met() {
        let owned = a10g();
        let at = owned.break_even(TURBO, CALLS).unwrap();
        let of = |utilisation| Owned { utilisation, ..owned }.cost().million.of(CALLS);
        assert!(of(at) <= TURBO.of(CALLS) && of(at - 1) > TURBO.of(CALLS), "{at}");
        assert_eq!(owned.break_even(Price { input: 1, output: 1 }, CALLS), None);
        assert_eq!(owned.share(Traffic { input: 18_921_600_000, output: 0 }), 10_000, "all that it can do in a year");
    }
}
