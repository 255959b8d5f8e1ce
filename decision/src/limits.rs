//! The bounds of a decision. Those of a campaign stand in [`crate::campaign::limits`].

/// Campaigns listed with a bid as those that competed for the opportunity.
pub const ELIGIBLE_LISTED_MAX: usize = 64;
