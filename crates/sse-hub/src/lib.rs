//! A ready-made Server-Sent Events hub with a management API and a demo page
