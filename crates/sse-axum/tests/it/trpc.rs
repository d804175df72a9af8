//! Where the management API may be mounted.

use axum::Router;
use sse_core::{Manager, Open};
use sse_testkit::request;
use sse_trpc::Management;
use tokio::net::TcpListener;

#[tokio::test]
async fn it_answers_below_any_path_of_a_router_of_any_state() {
    let manager = Manager::builder().access(Open).build().unwrap();
    let management = Management::new(manager);
    let stateful: Router<u32> = Router::new()
        .nest("/api/trpc", sse_axum::trpc(management.clone()))
        .nest("/v2/{tenant}/admin", sse_axum::trpc(management));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(sse_axum::serve(listener, stateful.with_state(7)).into_future());
    for (path, status) in [
        ("/api/trpc/sse.getStats", 200),
        ("/v2/acme/admin/sse.getStats", 200),
        ("/api/trpc", 404),
        ("/v2/acme/admin/sse.nothing", 404),
    ] {
        let answer = request(address, "GET", path, &[], "").await.unwrap();
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.headers.get("content-type"), Some("application/json"), "{path}");
    }
    let elsewhere = request(address, "GET", "/api/trpcs", &[], "").await.unwrap();
    assert_eq!((elsewhere.status, elsewhere.body.len()), (404, 0));
}
