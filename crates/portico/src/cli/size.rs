//! `portico size`: how much memory a model takes, and which cards hold it. Arithmetic over published figures; nothing is asked of a network.

use std::process::ExitCode;

use anyhow::Context as _;
use models::family;
use models::sizing::{self, Gpu, Load, Need, Quantisation};

use super::print;

#[derive(Debug, clap::Args)]
pub(super) struct SizeArgs {
    /// The model: a name as Hugging Face, Ollama or a file has it (`llama3:70b`, `Qwen2.5-7B-Instruct`).
    #[arg(value_name = "MODEL")]
    model: String,
    /// How its weights are kept: f16, int8 (Q8_0, FP8) or int4 (Q4_K_M, GPTQ, AWQ) [default: each of them].
    #[arg(long, value_name = "WORD")]
    quantisation: Option<String>,
    /// Tokens of context for one person.
    #[arg(long, value_name = "TOKENS", default_value_t = 8_192)]
    context: u32,
    /// People whose contexts are in memory at the same time.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    users: u32,
}

pub(super) fn run(args: &SizeArgs) -> anyhow::Result<ExitCode> {
    let model = family::find(&args.model)
        .with_context(|| format!("nothing is published here of {:?}; catalog/models lists what is", args.model))?;
    let quantisations = match &args.quantisation {
        None => Quantisation::ALL.to_vec(),
        Some(word) => {
            vec![Quantisation::parse(word).with_context(|| format!("{word:?} is none of f16, int8 and int4"))?]
        }
    };
    print::line(format_args!("{}, {} people with {} tokens each", model.name, args.users, args.context));
    for quantisation in quantisations {
        let load = Load { quantisation, context: args.context, users: args.users };
        let need = sizing::need(model, load)
            .with_context(|| format!("the maker of {} does not publish its shape", model.name))?;
        tell(quantisation, &need, args.context);
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(quantisation: Quantisation, need: &Need, context: u32) {
    print::line(format_args!(
        "\n{}: {} of weights + {} of KV cache ({} a token) = {}",
        quantisation.as_str(),
        gib(need.weights),
        gib(need.kv),
        kib(need.kv_per_token),
        gib(need.total())
    ));
    let row = |gpu: &Gpu| {
        let name = format!("{} ({} GB)", gpu.name, gpu.memory_gb);
        match sizing::fit(need, gpu, context) {
            Some(fit) => [name, fit.cards.to_string(), fit.kv_tokens.to_string(), fit.users.to_string()],
            None => [name, "more than 8".to_owned(), String::new(), String::new()],
        }
    };
    let rows: Vec<[String; 4]> = sizing::gpus().iter().map(row).collect();
    print::table(["CARD", "CARDS", "KV TOKENS", "PEOPLE"], &rows);
}

fn gib(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    // In hundredths, so that nothing but the last figure is rounded.
    let hundredths = (bytes / MIB * 100 + 512) / 1024;
    format!("{}.{:02} GiB", hundredths / 100, hundredths % 100)
}

fn kib(bytes: u64) -> String {
    format!("{} KiB", bytes / 1024)
}
