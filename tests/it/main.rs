//! The released binary from outside: started as an operator starts it, spoken to as exchanges, managers and analysts do.
//! Nothing of Vernier's own code is imported here.

mod campaigns;
mod configuration;
mod exchange;
mod money;
mod operating;
mod people;
mod process;
