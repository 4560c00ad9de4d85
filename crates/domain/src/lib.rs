//! The words of the house. No I/O: no tokio, sqlx, reqwest or axum.
