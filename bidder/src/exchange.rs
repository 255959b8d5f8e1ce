//! The edge to exchanges: OpenRTB in and out. Nothing outside knows its wire form.

pub mod dialect;
pub mod glance;
pub mod json;
pub mod request;
pub mod response;
