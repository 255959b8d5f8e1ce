//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use decision::ids::ExchangeName;
use ledger::reconcile::{self, Tolerance, UtcOffset};
use tracing_subscriber::EnvFilter;

use crate::app::{self, Roles};
use crate::client::AdminAddress;
use crate::command;
use crate::config::{self, Config};

/// Exit code of a refused configuration or input.
pub(crate) const REFUSED: u8 = 2;

/// Exit code of a comparison with something alarming in it.
const ALARMING: u8 = 3;

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
    /// Compare an exchange's report with what we booked, by day, exchange, campaign and currency.
    ///
    /// The report is CSV with a header; its columns may stand in any order: day (YYYY-MM-DD), campaign (our number,
    /// which is the cid of our bids, or our name), exchange, impressions, spend (a decimal, in the currency's unit) and
    /// currency. With a column impression (our id of it, which is the id of our bids) each line is one impression,
    /// impressions may be left out, and the impressions that differ are listed. Other columns are not read.
    ///
    /// Ours are the outcomes of the days that the report covers: what was booked, at the notice's price cut to our bid,
    /// in the currency of the bid. A group is alarming where counts or money differ by more than the tolerance, or
    /// where one side lacks it.
    ///
    /// Ends with exit code 0 where nothing is alarming, 3 where something is, 2 where nothing could be compared: every
    /// mistake in the report is named then.
    Reconcile {
        #[command(flatten)]
        options: ReconcileOptions,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Charge other money for impressions than was booked: all of a file, or nothing where anything is wrong.
    ///
    /// The file is CSV with a header; its columns may stand in any order: impression (our id of it, as bids, outcomes and
    /// reconcile have it), reason (a short text, for analysts), and one of two amounts. spend is what the exchange bills for it
    /// instead, in the currency of the bid, from which charges follow by the fees that the bid had. charged is what the
    /// advertiser is to pay instead, with all fees, in the campaign's currency. 0 takes it back whole. A column currency
    /// says in which the amount is, and is checked. Other columns are not read, and told. Nothing may come to more than the
    /// whole bid.
    ///
    /// The ledger books the difference, which gives the budget back, and shows it in the stream outcomes. The same file again
    /// books nothing.
    ///
    /// Ends with exit code 0 where every line is booked, 1 where some were asked for and are not booked yet, or nobody knows, 2
    /// where nothing was asked for: every mistake in the file is named then.
    Correct {
        /// The file; `-` for standard input.
        file: PathBuf,
        /// Who asks for it, for the journal.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
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
        /// campaigns, opportunities, bids, notices, outcomes, leases, ledger-journal or ledger-snapshots.
        stream: String,
        /// The first offset to print, of each partition.
        #[arg(long, default_value_t = 0)]
        from: u64,
        #[command(flatten)]
        config: ConfigFile,
    },
}

/// What to compare, and how.
#[derive(Debug, Args)]
struct ReconcileOptions {
    /// The report; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    exchange_report: PathBuf,
    /// The exchange whose report it is: needed where the report has no such column. Only its outcomes are compared.
    #[arg(long, value_name = "NAME", value_parser = exchange)]
    exchange: Option<ExchangeName>,
    /// Which moment's day an impression counts on.
    #[arg(long, value_enum, default_value_t = DayOf::Notice)]
    day_of: DayOf,
    /// How far the clock by which the report counts days is ahead of UTC, such as +02:00.
    #[arg(long, value_name = "+HH:MM", default_value = "+00:00", allow_hyphen_values = true)]
    utc_offset: UtcOffset,
    /// The greatest difference that is not alarming, in percent of ours.
    #[arg(long, value_name = "PERCENT", default_value = "2", allow_hyphen_values = true)]
    tolerance: Tolerance,
    /// How many impressions of each kind of difference to list.
    #[arg(long, value_name = "N", default_value_t = 20)]
    list: usize,
    /// Print JSON, an object a line: the groups, the totals, the listed impressions, a summary.
    #[arg(long)]
    json: bool,
}

/// Which moment's day an impression counts on.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum DayOf {
    /// When the notice arrived.
    Notice,
    /// When the bid was made.
    Bid,
}

impl ReconcileOptions {
    fn compare(&self) -> reconcile::Options {
        reconcile::Options {
            exchange: self.exchange,
            day_of: match self.day_of {
                DayOf::Notice => reconcile::DayOf::Notice,
                DayOf::Bid => reconcile::DayOf::Bid,
            },
            utc_offset: self.utc_offset,
            tolerance: self.tolerance,
            list: self.list,
        }
    }
}

fn exchange(text: &str) -> Result<ExchangeName, &'static str> {
    reconcile::exchange_name(text).ok_or("must be 1 to 16 of a-z, 0-9 and -")
}

/// Which configuration to use.
#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration; without it, the built-in demonstration. `VERNIER_…` variables go over it.
    #[arg(long)]
    config: Option<PathBuf>,
}

impl ConfigFile {
    /// What stands in it, or every problem with it.
    fn load(&self) -> Result<Config, String> {
        config::load(self.config.as_deref()).map_err(|problems| problems.join("\n"))
    }
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
        Command::Reconcile { options, config } => {
            let ReconcileOptions { exchange_report, json, .. } = &options;
            let compared = config
                .load()
                .and_then(|config| command::reconcile::run(&config, exchange_report, options.compare(), *json));
            return match compared {
                Ok(false) => ExitCode::SUCCESS,
                Ok(true) => ExitCode::from(ALARMING),
                Err(problem) => refuse(&problem),
            };
        }
        Command::Correct { file, by, admin } => {
            return match admin.find().and_then(|admin| command::correct::run(&admin, &file, by.as_deref())) {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(problem) => refuse(&problem),
            };
        }
        Command::Events { command: EventsCommand::Cat { stream, from, config } } => {
            config.load().and_then(|config| command::events::cat(&config, &stream, from))
        }
    };
    done.map_or_else(|problem| refuse(&problem), |()| ExitCode::SUCCESS)
}

fn role(file: &ConfigFile, roles: Roles) -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match file.load().and_then(|config| roles.check(&config).map(|()| config)) {
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
