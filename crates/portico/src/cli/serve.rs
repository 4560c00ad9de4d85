//! `portico serve`: its command line, its log and the lines a person sees at the start. What it does is in `house.rs`.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use super::{Place, print};
use crate::config::{Config, Log, LogFormat, Mistakes, Overrides};
use crate::house::House;

/// The flags of `portico serve`.
#[derive(Debug, Clone, clap::Args)]
pub struct ServeArgs {
    #[command(flatten)]
    place: Place,
    /// Address and port [default: 127.0.0.1:8420]; port 0: the system chooses.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// A GGUF model to run here; may be given more than once.
    #[arg(long = "model", value_name = "FILE.gguf")]
    models: Vec<PathBuf>,
    /// Reach nothing but this machine, whatever is configured.
    #[arg(long)]
    offline: bool,
}

impl ServeArgs {
    /// The configuration that was asked for.
    pub fn config(&self) -> Result<Config, Mistakes> {
        let (listen, models, offline) = (self.listen.clone(), self.models.clone(), self.offline);
        Config::load(&Overrides { listen, models, offline, ..self.place.overrides() })
    }
}

/// Runs the portal until it is told to stop.
pub(super) fn run(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let config = args.config()?;
    write_log(config.log);
    // Whoever comes second finds it installed; that is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("the runtime cannot be started")?;
    runtime.block_on(async {
        let house = House::open(&config).await?;
        let setup = house.setup_link().await?;
        print::line(format_args!("portico is ready on {}", house.public_url()));
        if let Some(link) = setup {
            print::line(format_args!("nobody owns this portal yet; open this link once to become its owner 首次使用，请打开此链接创建所有者账号:"));
            print::line(format_args!("  {link}"));
        }
        match house.default_model().as_deref() {
            None => print::line(format_args!("no model is configured: start with --model FILE.gguf, or add one in the portal 尚未配置模型：可用 --model 指定 GGUF 文件，或在门户中添加")),
            Some(models::STARTER_ID) => print::line(format_args!("the small starter model answers; add a larger one in the portal, or start with --model FILE.gguf 目前由随附的小型入门模型作答，可在门户中添加更大的模型，或用 --model 指定 GGUF 文件")),
            Some(_) => {}
        }
        house.serve(config, || args.config()).await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Everything that a running portal or worker has to say goes to standard error: standard output is for the lines above.
pub(super) fn write_log(log: Log) {
    let filter = EnvFilter::try_from_env("PORTICO_LOG_FILTER").unwrap_or_else(|_| EnvFilter::new(log.level));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match log.format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().init(),
    }
}
