//! End-to-end tests in network namespaces with the real peers.
