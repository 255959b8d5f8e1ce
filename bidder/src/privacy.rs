//! What a bid request permits us to use.
