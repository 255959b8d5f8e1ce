//! What a process takes of the machine, as the kernel counts it (proc(5)).

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Error};
use std::time::Duration;

use serde::Serialize;

/// The unit of processor time in `/proc/PID/stat`: `USER_HZ`, the same on every machine that this runs on.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// How the names of the threads of Kafka's client library begin.
pub(crate) const KAFKA_THREADS: &str = "rdk:";

/// What a process has used since its start, and what it holds now.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Usage {
    /// Processor time in its own code, in nanoseconds, exact to a hundredth of a second.
    pub user_ns: u64,
    /// Processor time of the system on its behalf, likewise.
    pub system_ns: u64,
    /// Nanoseconds on a processor by the name of the threads that live: exact, of both kinds together.
    pub threads_ns: BTreeMap<String, u64>,
    /// Times that its threads gave the processor up, or lost it.
    pub switches: u64,
    /// Bytes of memory.
    pub memory: u64,
    /// Files and connections that are open.
    pub descriptors: u64,
}

impl Usage {
    /// That of a process.
    ///
    /// # Errors
    /// It is not there, or not ours to look at.
    pub fn of(process: u32) -> io::Result<Self> {
        let folder = format!("/proc/{process}");
        let [user, system] = ticks(process)?;
        let nanos = |ticks: u32| u64::from(ticks) * TICK.as_nanos() as u64;
        let mut usage = Self { user_ns: nanos(user), system_ns: nanos(system), ..Self::default() };
        for thread in fs::read_dir(format!("{folder}/task"))? {
            let thread = thread?.path();
            // A thread may end meanwhile.
            let Ok(name) = fs::read_to_string(thread.join("comm")) else { continue };
            let Ok(schedule) = fs::read_to_string(thread.join("schedstat")) else { continue };
            let on_processor = schedule.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
            *usage.threads_ns.entry(name.trim().to_owned()).or_default() += on_processor.unwrap_or_default();
            let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
            let count = |name| number(&status, name).unwrap_or_default();
            usage.switches += count("voluntary_ctxt_switches:") + count("nonvoluntary_ctxt_switches:");
        }
        let status = fs::read_to_string(format!("{folder}/status"))?;
        usage.memory = 1_024 * number(&status, "VmRSS:").unwrap_or_default();
        usage.descriptors = fs::read_dir(format!("{folder}/fd"))?.count() as u64;
        Ok(usage)
    }

    /// What was used since `before`; what is held stays.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let threads_ns = self.threads_ns.iter().map(|(name, now)| {
            let then = before.threads_ns.get(name).copied().unwrap_or_default();
            (name.clone(), now.saturating_sub(then))
        });
        Self {
            user_ns: self.user_ns - before.user_ns,
            system_ns: self.system_ns - before.system_ns,
            threads_ns: threads_ns.collect(),
            switches: self.switches.saturating_sub(before.switches),
            ..self.clone()
        }
    }

    /// Nanoseconds on a processor, of all threads that live.
    pub fn cpu_ns(&self) -> u64 {
        self.threads("")
    }

    /// Those of the threads whose names begin so.
    pub(crate) fn threads(&self, prefix: &str) -> u64 {
        self.threads_ns.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, ns)| ns).sum()
    }
}

/// Processor time in units of [`TICK`]: a process's own and the system's on its behalf.
pub(crate) fn ticks(process: u32) -> io::Result<[u32; 2]> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name of the program, which may have spaces, ends with the last bracket; proc_pid_stat(5), fields 14 and 15.
    let behind = text.rsplit_once(')').map_or("", |(_, behind)| behind);
    let ticks: Vec<u32> = behind.split_whitespace().skip(11).take(2).filter_map(|word| word.parse().ok()).collect();
    ticks.try_into().map_err(|_| Error::other(format!("/proc/{process}/stat is not understood")))
}

/// The number behind a name in `/proc/PID/status`.
fn number(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// The load average of the last minute, where the system tells it.
pub(crate) fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_thread_is_counted_by_its_name() {
        let own = std::process::id();
        let before = Usage::of(own).unwrap();
        let busy = std::thread::Builder::new().name("usage-busy".into()).spawn(move || {
            loop {
                let used = Usage::of(own).unwrap();
                if used.threads_ns["usage-busy"] > 50_000_000 {
                    return used;
                }
            }
        });
        let used = busy.unwrap().join().unwrap().since(&before);
        assert!(used.threads_ns["usage-busy"] > 50_000_000 && used.cpu_ns() >= used.threads_ns["usage-busy"]);
        assert!(used.memory > 0 && used.descriptors > 0);
    }
}
