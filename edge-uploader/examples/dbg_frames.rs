use edge_uploader::camera::file::{FileCamera, FileOptions};
use edge_uploader::camera::{Camera as _, CameraEvent};
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut s = FileCamera::new(std::env::args().nth(1).unwrap(), FileOptions::default()).connect().await.unwrap();
    let mut n = 0;
    loop {
        match s.next().await {
            Ok(Some(CameraEvent::Frame(f))) => {
                n += 1;
                if n < 30 {
                    println!("{:?} {} {:?} {:?} {}", f.track, f.pts, f.duration, f.reference, f.data.len())
                }
            }
            Ok(Some(o)) => println!("{o:?}"),
            o => {
                println!("{o:?}");
                break;
            }
        }
    }
}
