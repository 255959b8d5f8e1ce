//! The edge to exchanges: OpenRTB in and out.
