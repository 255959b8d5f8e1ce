//! Every bound of the bidder, in one place, related by compile-time assertions. Changing one is a design decision.

// --- server ---

// --- exchange ---

// --- bidding ---
