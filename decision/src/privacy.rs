//! What a bid request permits us to use.

/// The privacy signals of a bid request, from their OpenRTB 2.5 and 2.6 places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signals {
    /// `regs.coppa`.
    pub coppa: Flag,
    /// `regs.gpc` or `regs.ext.gpc`.
    pub gpc: Flag,
    /// `device.lmt`.
    pub limit_ad_tracking: Flag,
    /// Any of `regs.gdpr`, `regs.ext.gdpr`, `user.consent`, `user.ext.consent` is there.
    pub gdpr: bool,
    /// Any of `regs.gpp`, `regs.gpp_sid`, `regs.ext.gpp`, `regs.ext.gpp_sid` is there.
    pub gpp: bool,
    /// `regs.us_privacy` or `regs.ext.us_privacy` is there.
    pub us_privacy: bool,
}

/// A yes-or-no signal as it was received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flag {
    /// Not there, or null.
    #[default]
    Absent,
    /// 0.
    Off,
    /// 1.
    On,
    /// There, but neither 0 nor 1.
    Unreadable,
}

impl Flag {
    fn restricts(self) -> bool {
        matches!(self, Self::On | Self::Unreadable)
    }
}

/// Proof that the privacy signals of a request were looked at: profiles cannot be read without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    restricted_by: Option<Restriction>,
}

/// Which signal restricts a request. The first that does is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Restriction {
    /// Directed at children.
    Coppa,
    /// Global Privacy Control.
    Gpc,
    /// The person limits ad tracking.
    LimitAdTracking,
    /// A GDPR signal.
    Gdpr,
    /// A Global Privacy Platform signal.
    Gpp,
    /// A US Privacy string.
    UsPrivacy,
}

impl Restriction {
    /// Every restriction.
    pub const ALL: [Self; 6] = [Self::Coppa, Self::Gpc, Self::LimitAdTracking, Self::Gdpr, Self::Gpp, Self::UsPrivacy];

    /// The name in metrics and explanations.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Coppa => "coppa",
            Self::Gpc => "gpc",
            Self::LimitAdTracking => "lmt",
            Self::Gdpr => "gdpr",
            Self::Gpp => "gpp",
            Self::UsPrivacy => "us_privacy",
        }
    }
}

impl Permit {
    /// What `signals` permit. Signals that are not decoded here restrict by being there, and so does every signal
    /// that does not parse.
    pub fn of(signals: &Signals) -> Self {
        let restrictions = [
            (signals.coppa.restricts(), Restriction::Coppa),
            (signals.gpc.restricts(), Restriction::Gpc),
            (signals.limit_ad_tracking.restricts(), Restriction::LimitAdTracking),
            (signals.gdpr, Restriction::Gdpr),
            (signals.gpp, Restriction::Gpp),
            (signals.us_privacy, Restriction::UsPrivacy),
        ];
        Self { restricted_by: restrictions.into_iter().find(|(restricts, _)| *restricts).map(|(_, by)| by) }
    }

    /// Whether ids may be read, looked up and kept.
    pub fn ids(&self) -> bool {
        self.restricted_by.is_none()
    }

    /// What forbids it, if anything does.
    pub fn restricted_by(&self) -> Option<Restriction> {
        self.restricted_by
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_no_or_nothing_permits() {
        let open = Signals { coppa: Flag::Off, gpc: Flag::Off, limit_ad_tracking: Flag::Off, ..Signals::default() };
        assert!(Permit::of(&Signals::default()).ids());
        assert!(Permit::of(&open).ids());
        for flag in [Flag::On, Flag::Unreadable] {
            for (signals, by) in [
                (Signals { coppa: flag, ..open }, Restriction::Coppa),
                (Signals { gpc: flag, ..open }, Restriction::Gpc),
                (Signals { limit_ad_tracking: flag, ..open }, Restriction::LimitAdTracking),
                (Signals { gdpr: true, ..open }, Restriction::Gdpr),
                (Signals { gpp: true, ..open }, Restriction::Gpp),
                (Signals { us_privacy: true, ..open }, Restriction::UsPrivacy),
            ] {
                assert_eq!(Permit::of(&signals).restricted_by(), Some(by));
                assert!(!Permit::of(&signals).ids());
            }
        }
    }
}
