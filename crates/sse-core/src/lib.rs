//! Server-Sent Events at scale: encoder, live streams by client, user and topic, bounded queues, heartbeats
