//! The released binary from outside: started as an operator starts it, spoken to as exchanges, managers and analysts do.
//! Of Vernier's own code only what decides a recorded request again is imported here.

mod campaigns;
mod configuration;
mod corpora;
mod corrections;
mod exchange;
mod faults;
mod money;
mod operating;
mod people;
mod process;
mod processes;
mod reconcile;
mod redis;
mod replay;
mod started;
