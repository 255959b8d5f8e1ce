//! HTTP: connections within limits, in front of handlers.
