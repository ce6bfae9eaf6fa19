use super::*;

const WIDTH: u32 = 480;
const HEIGHT: u32 = 270;

/// A small generator of numbers that look random, the same every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.0 >> 33).unwrap()
    }

    /// About normally distributed, with the standard deviation 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| f64::from(self.next()) / f64::from(1_u32 << 31)).sum::<f64>() - 6.0
    }
}

/// A room: a wall with a soft light, a floor with stripes, a dark window.
fn room(x: u32, y: u32) -> f64 {
    let x = f64::from(x);
    let y = f64::from(y);
    match () {
        () if (30.0..110.0).contains(&x) && (20.0..90.0).contains(&y) => 40.0,
        () if y > 190.0 => 110.0 + if (x / 12.0).floor() % 2.0 == 0.0 { 18.0 } else { 0.0 },
        () => 170.0 + 20.0 * (x / 480.0) - 10.0 * (y / 270.0),
    }
}

/// A picture whose grey levels this function says.
fn picture(grey: impl Fn(u32, u32) -> f64) -> Vec<u8> {
    let mut pixels = Vec::new();
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
            let level = grey(x, y).round().clamp(0.0, 255.0) as u8;
            pixels.extend([level; 3]);
        }
    }
    pixels
}

fn compare(pictures: &[Vec<u8>]) -> Vec<Movement> {
    let views: Vec<Rgb> = pictures.iter().map(|pixels| Rgb { width: WIDTH, height: HEIGHT, pixels }).collect();
    movement(&views)
}

fn boxes(movements: &[Movement]) -> usize {
    movements.iter().map(|movement| movement.boxes.len()).sum()
}

#[test]
fn who_walks_through_the_room_is_in_a_box_in_every_picture() {
    for (body, noise) in [(30.0, 0.0), (30.0, 4.0), (230.0, 2.0), (80.0, 3.0)] {
        let mut numbers = Numbers(7);
        let places: Vec<f64> = (0..8).map(|n| 40.0 + 45.0 * f64::from(n)).collect();
        let pictures: Vec<Vec<u8>> = places
            .iter()
            .map(|left| {
                let noise: Vec<f64> = (0..WIDTH * HEIGHT).map(|_| noise * numbers.normal()).collect();
                picture(|x, y| {
                    let is_body = (*left..left + 40.0).contains(&f64::from(x)) && (110..220).contains(&y);
                    (if is_body { body } else { room(x, y) }) + noise[(y * WIDTH + x) as usize]
                })
            })
            .collect();
        for (left, movement) in places.iter().zip(compare(&pictures)) {
            let [found] = movement.boxes[..] else { panic!("{body} {noise} at {left}: {movement:?}") };
            let near = |fraction: f64, whole: u32, pixels: f64| (fraction * f64::from(whole) - pixels).abs() < 9.0;
            assert!(near(found.left, WIDTH, *left) && near(found.right, WIDTH, left + 40.0), "at {left}: {found:?}");
            assert!(near(found.top, HEIGHT, 110.0) && near(found.bottom, HEIGHT, 220.0), "at {left}: {found:?}");
            assert!(found.score > 0.1 && found.score <= 1.0);
        }
    }
}

#[test]
fn light_exposure_and_noise_do_not_move() {
    type Grey = fn(u32, u32, f64) -> f64;
    let cases: [(&str, Grey); 5] = [
        ("nothing at all", |x, y, _| room(x, y)),
        ("the exposure", |x, y, n| room(x, y) * (0.7 + 0.06 * n)),
        ("a flicker of the mains", |x, y, n| room(x, y) + if n % 2.0 == 0.0 { 25.0 } else { -25.0 }),
        ("a lamp in a corner that goes on", |x, y, n| {
            let away = f64::from(x).hypot(f64::from(y)) / 120.0;
            room(x, y) * if n > 3.0 { 1.0 + 0.5 * (-away * away).exp() } else { 1.0 }
        }),
        ("the lights of the room that go off", |x, y, n| if n > 4.0 { room(x, y) * 0.2 } else { room(x, y) }),
    ];
    for (name, grey) in cases {
        for noise in [0.0, 3.0, 12.0] {
            let mut numbers = Numbers(11);
            let pictures: Vec<Vec<u8>> = (0..8)
                .map(|n| {
                    let noise: Vec<f64> = (0..WIDTH * HEIGHT).map(|_| noise * numbers.normal()).collect();
                    picture(|x, y| grey(x, y, f64::from(n)) + noise[(y * WIDTH + x) as usize])
                })
                .collect();
            let movements = compare(&pictures);
            assert_eq!(boxes(&movements), 0, "{name}, noise {noise}: {movements:?}");
        }
    }
}

#[test]
fn odd_pictures_are_compared_without_a_panic() {
    assert_eq!(movement(&[]), []);
    let one = picture(room);
    assert_eq!(compare(std::slice::from_ref(&one)), [Movement::default()]);
    for (width, height, pixels) in [(1, 1, 3), (1, 5000, 15_000), (5000, 1, 15_000), (640, 360, 10), (3, 3, 27)] {
        let black = vec![0; pixels];
        let white = vec![255; pixels];
        let rgb = |pixels| Rgb { width, height, pixels };
        assert_eq!(movement(&[rgb(&black), rgb(&white), rgb(&black)]).len(), 3);
    }
    let small = vec![9; 64 * 48 * 3];
    let mixed = [Rgb { width: WIDTH, height: HEIGHT, pixels: &one }, Rgb { width: 64, height: 48, pixels: &small }];
    assert_eq!(movement(&mixed).len(), 2);
}
