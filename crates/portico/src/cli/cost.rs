//! `portico cost`: what tokens of a machine of one's own cost, beside the list price of an API, for the same traffic. Every assumption is an
//! argument, and is printed.

use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use ledger::cost::{self, Owned, Price, Traffic};
use models::family;

use super::print;

#[derive(Debug, clap::Args)]
pub(super) struct CostArgs {
    /// What the machine cost.
    #[arg(long, value_name = "MONEY", default_value = "5000")]
    capital: String,
    /// For how many months it is used.
    #[arg(long, value_name = "MONTHS", default_value_t = 36)]
    life: u32,
    /// The share of the time in which it works, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 60)]
    utilisation: u32,
    /// Watts while it works.
    #[arg(long, value_name = "WATTS", default_value_t = 400)]
    busy: u32,
    /// Watts while it does not.
    #[arg(long, value_name = "WATTS", default_value_t = 120)]
    idle: u32,
    /// What a kilowatt hour costs.
    #[arg(long, value_name = "MONEY", default_value = "0.12")]
    tariff: String,
    /// Tokens a second that it reads, all requests together: measure it.
    #[arg(long, value_name = "TOKENS", default_value_t = 1_000)]
    prefill: u32,
    /// Tokens a second that it writes, all requests together: measure it.
    #[arg(long, value_name = "TOKENS", default_value_t = 1_000)]
    decode: u32,
    /// Calls a year.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    calls: u64,
    /// Tokens read in a call.
    #[arg(long, value_name = "TOKENS", default_value_t = 1_000)]
    input: u64,
    /// Tokens written in a call.
    #[arg(long, value_name = "TOKENS", default_value_t = 1_000)]
    output: u64,
    /// The model of an API whose list price stands beside it.
    #[arg(long, value_name = "MODEL", default_value = "gpt-3.5-turbo")]
    beside: String,
    /// A yearly figure that somebody published, to see what it takes for granted.
    #[arg(long, value_name = "MONEY")]
    claim: Option<String>,
}

pub(super) fn run(args: &CostArgs) -> anyhow::Result<ExitCode> {
    ensure!(args.life > 0, "--life: at least a month");
    ensure!((1..=100).contains(&args.utilisation), "--utilisation: 1 to 100 percent");
    ensure!(args.prefill > 0 && args.decode > 0, "--prefill and --decode: at least one token a second");
    let owned = Owned {
        capital: money(&args.capital).context("--capital")?,
        life_months: args.life,
        utilisation: args.utilisation * 100,
        busy_watts: args.busy,
        idle_watts: args.idle,
        tariff: money(&args.tariff).context("--tariff")?,
        prefill: args.prefill,
        decode: args.decode,
    };
    let traffic = Traffic {
        input: args.calls.checked_mul(args.input).context("--calls and --input: too many tokens")?,
        output: args.calls.checked_mul(args.output).context("--calls and --output: too many tokens")?,
    };
    let listed = family::find(&args.beside).and_then(|model| Some((model, model.price.as_ref()?)));
    let (model, price) = listed.with_context(|| format!("no list price is known here of {:?}", args.beside))?;
    let (own, list) = (owned.cost(), Price { input: price.input, output: price.output });
    let currency = &price.currency;
    print::line(format_args!("a year of the machine: {} {currency}, of it power {}", told(own.year), told(own.power)));
    let row =
        |what: &str, price: Price, year: i64| [what.to_owned(), told(price.input), told(price.output), told(year)];
    let rows = [
        row("own, its share of the machine", own.million, own.million.of(traffic)),
        row("own, the machine alone for this", own.million, own.year),
        row(&format!("{} (list, {})", model.name, price.date), list, list.of(traffic)),
    ];
    print::table(["", "1M TOKENS IN", "1M TOKENS OUT", "A YEAR"], &rows);
    let share = owned.share(traffic);
    print::line(format_args!(
        "\nthis traffic takes {} of the time in which the machine works ({} of every hour)",
        percent(share),
        percent(u64::from(owned.utilisation))
    ));
    match owned.break_even(list, traffic) {
        Some(at) => print::line(format_args!(
            "its tokens cost no more than the list from a utilisation of {} on",
            percent(u64::from(at))
        )),
        None => print::line(format_args!("its tokens cost more than the list at any utilisation")),
    }
    if let Some(figure) = &args.claim {
        let figure = money(figure).context("--claim")?;
        let claim = cost::claim(figure, own.million.input, traffic, &owned);
        print::line(format_args!(
            "\nfor {} {currency} a year to be true, written tokens have to cost {} a million; or the traffic, {} of the machine's working time, \
             has to be all that it is charged, the rest being busy for somebody else, and a year of the machine to cost at most {} \
             (it costs {})",
            told(figure),
            told(claim.output),
            percent(claim.share),
            told(claim.year_at_most),
            told(own.year)
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Money in millionths, from a decimal.
fn money(text: &str) -> anyhow::Result<i64> {
    let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    ensure!(part.len() <= 6 && part.bytes().all(|byte| byte.is_ascii_digit()), "{text:?} has more than six decimals");
    let whole: i64 = whole.parse().with_context(|| format!("{text:?} is no sum of money"))?;
    ensure!(whole >= 0, "{text:?} is less than nothing");
    let part: i64 = format!("{part:0<6}").parse().unwrap_or(0);
    whole
        .checked_mul(1_000_000)
        .and_then(|whole| whole.checked_add(part))
        .with_context(|| format!("{text:?} is too much"))
}

/// Millionths as money: two decimals, or four below one.
fn told(micros: i64) -> String {
    let (unit, digits) = if micros.abs() < 1_000_000 { (100, 4) } else { (10_000, 2) };
    let rounded = (micros + unit / 2).div_euclid(unit);
    let scale = 10_i64.pow(digits);
    format!("{}.{:0digits$}", rounded / scale, rounded % scale, digits = usize::try_from(digits).unwrap_or(2))
}

fn percent(hundredths: u64) -> String {
    format!("{}.{} %", hundredths / 100, hundredths % 100 / 10)
}
