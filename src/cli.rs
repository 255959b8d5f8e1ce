//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::app::{self, Roles};
use crate::client::AdminAddress;
use crate::command;
use crate::config;

/// Exit code of a refused configuration or input.
pub(crate) const REFUSED: u8 = 2;

/// The exchange whose request is explained, where none is named.
pub(crate) const DEFAULT_EXCHANGE: &str = "demo";

/// An OpenRTB bidder that buys for audience micro-segments. Without a subcommand: `vernier up`.
#[derive(Debug, Parser)]
#[command(version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything in one process on local stores, with a simulated exchange.
    Up {
        #[command(flatten)]
        config: ConfigFile,
        /// Leave the simulated exchange out.
        #[arg(long)]
        no_traffic: bool,
    },
    /// Run only the bidder: answer exchanges, take notices.
    Bidder(ConfigFile),
    /// Run only the ledger: lend and charge money.
    Ledger(ConfigFile),
    /// Run only the control plane: publish campaigns.
    Control(ConfigFile),
    /// Run only the profiles' writer; or import memberships.
    Segments {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: Option<SegmentsCommand>,
    },
    /// Check campaign files, and a configuration where one is named, without starting anything.
    Check {
        /// Campaign files (YAML), directories of them with what is below, or configurations (TOML).
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Publish a directory of campaign files: all of it, or nothing where anything is wrong.
    Apply {
        /// A directory of YAML files with what is below it, or single files.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Say what would change and change nothing.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        admin: AdminPort,
    },
    /// Stop a campaign at once. Applying it again resumes it.
    Stop {
        /// Its name.
        campaign: String,
        #[command(flatten)]
        admin: AdminPort,
    },
    /// List the campaigns.
    Campaigns {
        #[command(flatten)]
        admin: AdminPort,
    },
    /// Say for each impression of a bid request which campaign bids, and why the others do not.
    Explain {
        /// A file with the bid request; `-` for standard input.
        #[arg(long)]
        request: PathBuf,
        /// The exchange it would come from.
        #[arg(long, default_value = DEFAULT_EXCHANGE)]
        exchange: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        admin: AdminPort,
    },
    /// Read the event streams.
    Events {
        #[command(subcommand)]
        command: EventsCommand,
    },
}

#[derive(Debug, Subcommand)]
enum SegmentsCommand {
    /// Import memberships from a file with one JSON object a line: user, segment, until, confidence.
    ///
    /// Ends with exit code 0 where every line is in, 1 where lines were left out (each is named), 2 where it did not
    /// come to its end: it says then from which line to go on. An interrupted import can go on likewise.
    Import {
        /// The file.
        file: PathBuf,
        /// Go on from this line, as a cut-off import said.
        #[arg(long, default_value_t = 1)]
        from_line: u64,
        #[command(flatten)]
        admin: AdminPort,
    },
}

#[derive(Debug, Subcommand)]
enum EventsCommand {
    /// Print a stream as JSON, one record a line.
    Cat {
        /// campaigns, opportunities, bids, notices, outcomes, leases or ledger-journal.
        stream: String,
        /// The first offset to print, of each partition.
        #[arg(long, default_value_t = 0)]
        from: u64,
        #[command(flatten)]
        config: ConfigFile,
    },
}

/// Which configuration to use.
#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration; without it, the built-in demonstration. `VERNIER_…` variables go over it.
    #[arg(long)]
    config: Option<PathBuf>,
}

/// Which running process to ask.
#[derive(Debug, Args)]
struct AdminPort {
    /// Address and port of its admin port; without it, `admin.listen` of the configuration, else 127.0.0.1:8081.
    #[arg(long = "admin", value_name = "ADDRESS")]
    address: Option<String>,
    /// The configuration it was started with. `VERNIER_…` variables go over it.
    #[arg(long)]
    config: Option<PathBuf>,
}

impl AdminPort {
    /// The address as it was told, or as the process's configuration has it.
    fn find(self) -> Result<AdminAddress, String> {
        if let Some(address) = self.address {
            return Ok(AdminAddress(address));
        }
        let config = config::load(self.config.as_deref()).map_err(|problems| problems.join("\n"))?;
        match config.admin_listen {
            address if address.port() == 0 => Err("admin.listen has port 0: name the real one with --admin".to_owned()),
            address => Ok(AdminAddress(address.to_string())),
        }
    }
}

/// Runs the command line.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let up = Command::Up { config: ConfigFile { config: None }, no_traffic: false };
    let done = match cli.command.unwrap_or(up) {
        Command::Up { config, no_traffic } => return role(&config, Roles::up(!no_traffic)),
        Command::Bidder(config) => return role(&config, Roles::BIDDER),
        Command::Ledger(config) => return role(&config, Roles::LEDGER),
        Command::Control(config) => return role(&config, Roles::CONTROL),
        Command::Segments { config, command: None } => return role(&config, Roles::SEGMENTS),
        Command::Segments { config, command: Some(SegmentsCommand::Import { file, from_line, admin }) } => {
            let admin = AdminPort { config: admin.config.or(config.config), ..admin };
            return match admin.find().and_then(|admin| command::import::run(&admin, &file, from_line)) {
                Ok(0) => ExitCode::SUCCESS,
                Ok(_left_out) => ExitCode::FAILURE,
                Err(problem) => refuse(&problem),
            };
        }
        Command::Check { paths } => command::check::run(&paths),
        Command::Apply { paths, dry_run, admin } => {
            admin.find().and_then(|admin| command::campaigns::apply(&admin, &paths, dry_run))
        }
        Command::Stop { campaign, admin } => admin.find().and_then(|admin| command::campaigns::stop(&admin, &campaign)),
        Command::Campaigns { admin } => admin.find().and_then(|admin| command::campaigns::list(&admin)),
        Command::Explain { request, exchange, json, admin } => {
            admin.find().and_then(|admin| command::explain::run(&admin, &exchange, &request, json))
        }
        Command::Events { command: EventsCommand::Cat { stream, from, config } } => {
            config::load(config.config.as_deref())
                .map_err(|problems| problems.join("\n"))
                .and_then(|config| command::events::cat(&config, &stream, from))
        }
    };
    done.map_or_else(|problem| refuse(&problem), |()| ExitCode::SUCCESS)
}

fn role(file: &ConfigFile, roles: Roles) -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let config = config::load(file.config.as_deref()).map_err(|problems| problems.join("\n"));
    match config.and_then(|config| roles.check(&config).map(|()| config)) {
        Err(problems) => refuse(&problems),
        Ok(config) => match app::run(config, roles) {
            Ok(()) => ExitCode::SUCCESS,
            Err(problem) => {
                eprintln!("vernier: {problem}");
                ExitCode::FAILURE
            }
        },
    }
}

fn refuse(problem: &str) -> ExitCode {
    eprintln!("{problem}");
    ExitCode::from(REFUSED)
}
