//! The configuration file: reading, checking, pointing at errors.
