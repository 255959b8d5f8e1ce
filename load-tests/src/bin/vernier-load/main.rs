//! `vernier-load`: plays an exchange against a bidder, and audits the bidder's books against the exchange's journal.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use load_tests::exchange::audit::audit;
use load_tests::exchange::{self, Settings, Totals, journal};
use load_tests::faults::{self, Scenario};
use load_tests::load::Target;
use load_tests::{bench, floor, scenario, subject};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

mod money;

/// What a bidder uses, so that the floor differs in nothing else.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Plays the counterparties of a bidder on this machine.
#[derive(Debug, Parser)]
#[command(version, about)]
enum Command {
    /// Send bid requests and notices for a while.
    Exchange {
        /// Where bid requests go.
        #[arg(long)]
        bid_url: String,
        /// Requests a second.
        #[arg(long, default_value_t = 100)]
        rate: u32,
        /// How long.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
        /// How many different people, named `person-0` and so on.
        #[arg(long, default_value_t = 2_000)]
        people: u32,
        /// The same seed asks the same.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Where acknowledged notices are written.
        #[arg(long)]
        journal: Option<PathBuf>,
    },
    /// Check a history that `money` wrote, or compare a journal with the streams `notices` and `outcomes`, as `vernier
    /// events cat` printed them. No process need run. Exit code 1: something is wrong.
    Audit {
        /// The folder of a history.
        #[arg(conflicts_with_all = ["journal", "notices", "outcomes"])]
        history: Option<PathBuf>,
        /// The exchange's journal.
        #[arg(long, required_unless_present = "history")]
        journal: Option<PathBuf>,
        /// `vernier events cat notices`.
        #[arg(long, required_unless_present = "history")]
        notices: Option<PathBuf>,
        /// `vernier events cat outcomes`.
        #[arg(long, required_unless_present = "history")]
        outcomes: Option<PathBuf>,
    },
    /// Let servers of a bidder fail under traffic, and judge what exchanges and campaigns got. Exit code 1: a point
    /// failed. Servers and bidder are started for it, on free ports of the loopback.
    Faults(Faults),
    /// Spend budgets on four bidders while one thing after the other fails, and check what became of the money. It goes on
    /// with the first run that has no report in its folder. Exit code 1: a point failed.
    Money(money::Money),
    /// Measure what a bid request costs, as a multiple of what it costs a bare HTTP server. Bidder and floor keep to
    /// processor 0; start this on another: `taskset -c 1 vernier-load bench`.
    Bench(Bench),
    /// Play a load from a file, such as `load-tests/scenarios/steady.toml`, and write what came of it as JSON and as a page.
    Load(Play),
    /// Be that bare HTTP server.
    Floor {
        /// Where to listen.
        #[arg(long)]
        listen: SocketAddr,
        /// The answers to give, one JSON object a line: `status` and `body`.
        #[arg(long)]
        answers: PathBuf,
    },
}

/// Programs that are started, besides this one.
#[derive(Debug, Args)]
struct Programs {
    /// The program `vernier`; without it, the one beside this program.
    #[arg(long)]
    vernier: Option<PathBuf>,
    /// The program `redis-server`; without it, what the variable REDIS_SERVER names, else the one in the path.
    #[arg(long)]
    redis_server: Option<PathBuf>,
    /// The folder with Kafka's Java archives; without it, what the variable KAFKA_LIBS names, else that of
    /// `deploy/local/services`.
    #[arg(long)]
    kafka_libs: Option<PathBuf>,
}

impl Programs {
    fn vernier(&self) -> std::io::Result<PathBuf> {
        let beside = || std::env::current_exe().map(|own| own.with_file_name("vernier"));
        self.vernier.clone().map_or_else(beside, std::path::absolute)
    }

    /// It is started in other directories; a bare name is looked for in the path.
    fn redis_server(&self) -> std::io::Result<PathBuf> {
        let named = self.redis_server.clone().or_else(|| std::env::var_os("REDIS_SERVER").map(PathBuf::from));
        match named {
            Some(program) if program.components().count() > 1 => std::path::absolute(program),
            named => Ok(named.unwrap_or_else(|| "redis-server".into())),
        }
    }

    fn kafka_libraries(&self) -> std::io::Result<PathBuf> {
        let named = self.kafka_libs.clone().or_else(|| std::env::var_os("KAFKA_LIBS").map(PathBuf::from));
        std::path::absolute(named.unwrap_or_else(|| "target/services/kafka/libs".into()))
    }
}

#[derive(Debug, Args)]
struct Bench {
    /// Requests a second.
    #[arg(long, default_value_t = 3_000)]
    rate: u32,
    /// Seconds of a turn.
    #[arg(long, default_value_t = 6)]
    seconds: u32,
    /// Turns of the bidder; the floor has one more.
    #[arg(long, default_value_t = 4)]
    turns: u32,
    /// Connections.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Notices, views and clicks as well, which are requests of their own.
    #[arg(long)]
    calls: bool,
    /// Leave out the half minute in which the generator is tried out.
    #[arg(long)]
    no_self_test: bool,
    #[command(flatten)]
    subject: SubjectArgs,
}

#[derive(Debug, Args)]
struct Play {
    /// The file.
    file: PathBuf,
    /// Rates are multiplied by this.
    #[arg(long, default_value_t = 1.0)]
    times: f64,
    /// Leave out the half minute in which the generator is tried out.
    #[arg(long)]
    no_self_test: bool,
    #[command(flatten)]
    subject: SubjectArgs,
}

/// The bidder that is loaded.
#[derive(Debug, Args)]
struct SubjectArgs {
    /// Campaigns.
    #[arg(long, default_value_t = 1_000)]
    campaigns: u32,
    /// People.
    #[arg(long, default_value_t = 20_000)]
    people: u32,
    /// Profiles and streams in files of one process, instead of in Redis and Kafka.
    #[arg(long)]
    local: bool,
    /// Another bidder instead, by the URL of its bid requests, on this machine.
    #[arg(long)]
    peer: Option<String>,
    /// The number of its process, so that its processor time can be told.
    #[arg(long, requires = "peer")]
    peer_process: Option<u32>,
    /// Where figures are written; logs and data go to `run` in it, which is emptied first.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
    #[command(flatten)]
    programs: Programs,
}

impl SubjectArgs {
    fn settings(self) -> Result<subject::Settings, Box<dyn std::error::Error>> {
        let peer = self.peer.as_deref().map(Target::new).transpose()?.map(|target| (target, self.peer_process));
        Ok(subject::Settings {
            vernier: self.programs.vernier()?,
            redis_server: self.programs.redis_server()?,
            kafka_libraries: self.programs.kafka_libraries()?,
            folder: std::path::absolute(self.out)?,
            engines: !self.local,
            peer,
            campaigns: self.campaigns,
            people: self.people,
        })
    }
}

#[derive(Debug, Args)]
struct Faults {
    /// Only these scenarios; all, where none is named.
    #[arg(long)]
    only: Vec<Scenario>,
    /// Requests a second; without it, half of the highest rate at which no more than 0.1 % of the answers are late.
    #[arg(long)]
    rate: Option<u32>,
    /// Seconds before the fault, during it and after it, where Redis fails.
    #[arg(long, num_args = 3, default_values_t = [10, 15, 10])]
    seconds: Vec<u64>,
    /// The same where Kafka fails.
    #[arg(long, num_args = 3, default_values_t = [30, 60, 30])]
    kafka_seconds: Vec<u64>,
    /// Milliseconds that an answer may take.
    #[arg(long, default_value_t = 100)]
    tmax: u32,
    /// How many different people there are.
    #[arg(long, default_value_t = 20_000)]
    people: u32,
    /// The same seed asks the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where logs and reports are written; it is emptied first.
    #[arg(long, default_value = "target/faults")]
    out: PathBuf,
    #[command(flatten)]
    programs: Programs,
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Exchange { bid_url, rate, seconds, people, seed, journal } => {
            let mut settings = Settings::new(bid_url);
            settings.requests_per_s = rate;
            settings.people = people;
            settings.seed = seed;
            settings.journal = journal;
            play(settings, Duration::from_secs(seconds))
        }
        Command::Audit { history: Some(history), .. } => money::check(&history),
        Command::Audit { journal, notices, outcomes, .. } => {
            let [journal, notices, outcomes] = [journal, notices, outcomes].map(Option::unwrap_or_default);
            compare(&journal, &notices, &outcomes)
        }
        Command::Faults(faults) => fail(faults),
        Command::Money(money) => money::spend(money),
        Command::Bench(bench) => measure(bench),
        Command::Load(play) => load(play),
        Command::Floor { listen, answers } => floor::serve(listen, &answers).map(|()| true).map_err(Into::into),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("vernier-load: {problem}");
            ExitCode::from(2)
        }
    }
}

/// Plays; whether every answer kept to the rules.
fn play(settings: Settings, time: Duration) -> Result<bool, Box<dyn std::error::Error>> {
    let totals = Arc::new(Totals::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let end = async move { tokio::time::sleep(time).await };
    let faults = runtime.block_on(exchange::run(settings, Arc::clone(&totals), end))?;
    for (name, value) in totals.all() {
        println!("{name} {value}");
    }
    faults.iter().for_each(|fault| eprintln!("{fault}"));
    Ok(faults.is_empty())
}

/// Compares; whether the books agree.
fn compare(journal: &Path, notices: &Path, outcomes: &Path) -> Result<bool, Box<dyn std::error::Error>> {
    let report = audit(&journal::read(journal)?, &lines(notices)?, &lines(outcomes)?);
    for (kind, count) in &report.acknowledged {
        println!("acknowledged {kind} {count}");
    }
    println!("charges {}", report.charges);
    println!("charged_nanos {}", report.charged_nanos);
    println!("billed_and_acknowledged_nanos {}", report.billed_nanos);
    println!("charges_without_acknowledgement {}", report.unacknowledged_charges);
    println!("failures {}", report.failures.len());
    report.failures.iter().for_each(|failure| eprintln!("{failure}"));
    Ok(report.failures.is_empty())
}

/// Plays scenarios until they are over or somebody ends them; whether every point held.
fn fail(faults: Faults) -> Result<bool, Box<dyn std::error::Error>> {
    let seconds = |seconds: &[u64]| [0, 1, 2].map(|at| Duration::from_secs(seconds[at]));
    let settings = faults::Settings {
        vernier: faults.programs.vernier()?,
        redis_server: faults.programs.redis_server()?,
        kafka_libraries: faults.programs.kafka_libraries()?,
        folder: std::path::absolute(faults.out)?,
        rate: faults.rate,
        people: faults.people,
        seed: faults.seed,
        tmax_ms: faults.tmax,
        profiles: seconds(&faults.seconds),
        streams: seconds(&faults.kafka_seconds),
    };
    let scenarios = if faults.only.is_empty() { Scenario::value_variants() } else { &faults.only };
    until_interrupted(faults::run(&settings, scenarios))
}

/// Measures until it is over or somebody ends it.
fn measure(bench: Bench) -> Result<bool, Box<dyn std::error::Error>> {
    let settings = bench::Settings {
        subject: bench.subject.settings()?,
        rate: bench.rate,
        seconds: bench.seconds,
        turns: bench.turns,
        connections: bench.connections,
        calls: bench.calls,
        self_test: !bench.no_self_test,
    };
    until_interrupted(async { bench::run(&settings).await.map(|()| true) })
}

/// Plays a load until it is over or somebody ends it.
fn load(play: Play) -> Result<bool, Box<dyn std::error::Error>> {
    let settings = scenario::Settings {
        file: play.file,
        times: play.times,
        self_test: !play.no_self_test,
        subject: play.subject.settings()?,
    };
    until_interrupted(async { scenario::run(&settings).await.map(|()| true) })
}

/// Ends what was started also where somebody ends this program.
fn until_interrupted(work: impl Future<Output = std::io::Result<bool>>) -> Result<bool, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let (mut interrupted, mut terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! {
            done = work => Ok(done?),
            _ = interrupted.recv() => Err("interrupted".into()),
            _ = terminated.recv() => Err("terminated".into()),
        }
    })
}

fn lines(path: &Path) -> Result<Vec<Value>, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(path)?;
    text.lines().map(|line| serde_json::from_str(line).map_err(Into::into)).collect()
}
