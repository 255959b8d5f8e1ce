//! Real servers of one's own, on free ports of the loopback, that can be ended and started again on their data. They end
//! with their owner.

pub mod kafka;
pub mod ports;
pub(crate) mod process;
pub(crate) mod redis;
pub(crate) mod vernier;
