//! Server-Sent Events for raw Hyper: handshake, response body and a server that ends streams properly
