//! What the runs got to: a simulation proves nothing of what it never does.

macro_rules! reaches {
    ($($name:ident,)*) => {
        /// Something that can happen in a run.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Reach {
            $($name,)*
        }

        impl Reach {
            const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

reaches! {
    // What nodes do.
    Bid,
    BidInHaste,
    NoLease,
    HeldLess,
    Paced,
    Drained,
    // What happens to them.
    NodeKilled,
    NodePaused,
    NodeCutOff,
    ToldLater,
    NeverTold,
    ToldTwice,
    ShippedTwice,
    // What the ledger does and what happens to it.
    Snapshot,
    BeganFromSnapshot,
    BeganFromJournal,
    ReadAgain,
    LedgerDiedBefore,
    LedgerDiedBetween,
    LedgerDiedAmid,
    LedgerPaused,
    TakenOver,
    WriterRefused,
    StaleEntry,
    // What managers do.
    Raised,
    Lowered,
    Stopped,
    Midnight,
    // What exchanges do.
    Won,
    Lost,
    WinUntold,
    LossUntold,
    BillingUntold,
    Overdue,
    SentTwice,
    SentElsewhere,
    SentAgain,
    Forged,
    Expired,
    Unpriced,
    Audit,
    AboveBid,
    OtherPrice,
    // What is booked.
    Made,
    Late,
    Overdrawn,
    Repeated,
    Contradicted,
    Fenced,
    Refolded,
    RepeatedAsk,
    UnknownLease,
    AllToLeases,
}

/// How often each was reached.
#[derive(Clone, Debug)]
pub(crate) struct Reached([u64; Reach::ALL.len()]);

impl Default for Reached {
    fn default() -> Self {
        Self([0; Reach::ALL.len()])
    }
}

impl Reached {
    pub(crate) fn add(&mut self, reach: Reach) {
        self.add_many(reach, 1);
    }

    pub(crate) fn add_if(&mut self, condition: bool, reach: Reach) {
        self.add_many(reach, condition.into());
    }

    pub(crate) fn add_many(&mut self, reach: Reach, times: u64) {
        self.0[reach as usize] += times;
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, times)| *sum += times);
    }

    /// Each at least once in so many runs.
    pub(crate) fn check(&self, runs: u64) {
        let counts: Vec<String> = Reach::ALL.iter().zip(self.0).map(|(reach, n)| format!("{reach:?} {n}")).collect();
        println!("reached: {}", counts.join(", "));
        for (reach, times) in Reach::ALL.iter().zip(self.0) {
            assert!(times * 20 >= runs, "{reach:?} is hardly reached: {times} times in {runs} runs");
        }
    }
}
