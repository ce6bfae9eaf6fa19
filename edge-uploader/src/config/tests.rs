use super::*;

const LEAST: &str = "site = \"s\"\n[spool]\ndir = \"/var/spool/framepost\"\n[upload]\nto = \"s3://footage\"\n\
                     [[camera]]\nname = \"gate\"\nurl = \"rtsp://10.0.0.7/stream1\"\n";

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text).map_err(|mistake| mistake.to_string())
}

#[test]
fn the_least_is_enough() {
    let config = parse(LEAST).unwrap();
    assert_eq!(config.recording.window, Duration::from_secs(3));
    assert_eq!(config.recording.keep, Keep::All);
    assert_eq!(config.recording.chunk_max(), Duration::from_secs(10));
    let longer = parse(&format!("{LEAST}recording = {{ window = \"30s\" }}\n")).unwrap();
    assert_eq!(longer.recording_of(&longer.cameras[0]).chunk_max(), Duration::from_secs(30));
    assert_eq!((config.upload.workers, config.spool.quota), (None, 20_000_000_000));
    assert_eq!(config.cameras[0], CameraConfig::new("gate".parse().unwrap(), "rtsp://10.0.0.7/stream1"));
}

#[test]
fn there_are_eight_workers_for_16_cameras_and_more() {
    let upload = parse(LEAST).unwrap().upload;
    let workers = |cameras: usize| upload.settings(cameras).workers;
    assert_eq!([1, 8, 10, 16, 250].map(workers), [4, 4, 5, 8, 8]);
}

#[test]
fn the_example_is_a_configuration() {
    let example = parse(include_str!("../../edge.example.toml")).unwrap();
    assert!(example.cameras.len() >= 2);
    assert!(example.signing.is_some() && example.metrics.is_some());
}

#[test]
fn mistakes_are_named() {
    for (text, expected) in [
        (LEAST.replace("dir =", "dri ="), "line 3: spool.dri: unknown key; expected one of `dir`"),
        (LEAST.replace("s3://footage", "ftp://x/y"), "line 5: upload.to: not a destination"),
        (LEAST.replace("\"gate\"", "\"a/b\""), "line 7: camera.1.name: not a name"),
        (format!("{LEAST}window = \"3s\"\n"), "line 9: camera.1.window: unknown key"),
        (format!("{LEAST}recording = {{ keep = \"some\" }}\n"), "line 9: camera.1.recording.keep: "),
        (
            format!("{LEAST}recording = {{ window = \"6s\", chunk_max = \"5s\" }}\n"),
            "line 9: camera.1.recording.chunk_max: must not be shorter",
        ),
        (format!("{LEAST}recording = {{ chunk_max = \"2s\" }}\n"), "must not be shorter than window (3s)"),
        (format!("{LEAST}recording = {{ window = \"500ms\", chunk_max = \"600ms\" }}\n"), "at least 1s"),
        (format!("{LEAST}recording = {{ keep = {{ every = 0 }} }}\n"), "nonzero"),
        (format!("{LEAST}[[camera]]\nname = \"gate\"\nurl = \"x\"\n"), "line 10: camera.2.name: two cameras"),
        (format!("{LEAST}password_env = \"A\"\npassword_file = \"b\"\n"), "camera.1.password_env: give"),
        (format!("camera = []\n{}", &LEAST[..LEAST.find("[[").unwrap()]), "line 1: camera: "),
        (LEAST.replace("dir = \"/var/spool/framepost\"\n", ""), "line 2: spool: missing field `dir`"),
        (LEAST.replace("\"rtsp://10.0.0.7/stream1\"", "rtsp://u:secret@h/"), "line 8: url: this is not TOML"),
        (LEAST.replace("[upload]", "[upload]\nworkers = 0"), "line 5: upload.workers: must"),
        (LEAST.replace("rtsp://10", "srt://10"), "line 8: camera.1.url: "),
        (LEAST.replace("rtsp://10", "srt://10"), "a camera's URL cannot have this scheme; expected rtsp://host/path"),
        (
            format!("{LEAST}repeat = \"forever\"\n"),
            "line 9: camera.1.repeat: is for files, and this camera is an RTSP URL",
        ),
    ] {
        let error = parse(&text).unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

/// Whatever an RTSP camera can be told, a file cannot, and the other way round.
#[test]
fn an_option_that_would_do_nothing_is_refused() {
    let rtsp = LEAST.to_owned();
    let file = LEAST.replace("rtsp://10.0.0.7/stream1", "clip.mp4");
    let for_rtsp = [
        "username = \"u\"",
        "password_file = \"p\"",
        "password_env = \"P\"",
        "transport = \"tcp\"",
        "audio = \"record\"",
        "certificate = \"system\"",
        "bandwidth_per_second = \"8 MB\"",
        "clock = \"gateway\"",
        "inactivity = \"10s\"",
    ];
    let for_files = ["pace = \"live\"", "repeat = \"once\"", "start = \"2026-11-20T15:00:00Z\""];
    for (options, taken, refused) in [(&for_rtsp[..], &rtsp, &file), (&for_files[..], &file, &rtsp)] {
        for option in options {
            assert_eq!(parse(&format!("{taken}{option}\n")).map(|_| ()), Ok(()), "{option}");
            let key = option.split(' ').next().unwrap();
            let error = parse(&format!("{refused}{option}\n")).unwrap_err();
            assert!(error.starts_with(&format!("line 9: camera.1.{key}: is for ")), "{error}");
            assert!(error.ends_with("leave it out"), "{error}");
        }
    }
}

/// A password where something else should be, a quote that is missing, a key that is misspelt: at every line of a
/// configuration that has every key.
#[test]
fn no_mistake_shows_what_is_there() {
    const SECRET: &str = "hunter2";
    let example = include_str!("../../edge.example.toml");
    let example: Vec<String> = example.lines().map(|line| line.trim_start_matches("# endpoint").to_owned()).collect();
    let mut refused = 0;
    for (n, line) in example.iter().enumerate() {
        let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) else { continue };
        for mistake in [
            format!("{key} = \"{SECRET}"),
            format!("{key} = {SECRET}\""),
            format!("{key} = {SECRET}"),
            format!("{key} = \"{SECRET}\""),
            format!("{key} = \"{SECRET}, expected {SECRET}\""),
            format!("{key} = \"rtsp://admin:{SECRET}@h:x/\""),
            format!("{key} = \"admin:{SECRET}@10.0.0.7/live\""),
            format!("{key} = '{SECRET}\\u'"),
            format!("{key} = \"{SECRET}\\q\""),
            format!("{key} = [\"{SECRET}\"]"),
            format!("{key} = {{ {key} = \"{SECRET}\" }}"),
            format!("{key} = {{ \"{SECRET}://\" = 1 }}"),
            format!("{key}: {SECRET}"),
            format!("{key}\"{SECRET}\" = 1"),
            format!("\"admin:{SECRET}\" = \"x\""),
            format!("{key} = 2026-11-{SECRET}"),
            format!("{key} = \"\"\"\n{SECRET}\n"),
            SECRET.to_owned(),
        ] {
            let mut lines = example.clone();
            lines[n].clone_from(&mistake);
            let text = lines.join("\n");
            let Err(error) = Config::parse(&text) else { continue };
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(SECRET), "line {}: {mistake}: {shown}", n + 1);
            assert!(error.line.is_some(), "{mistake}: {error}");
            refused += 1;
        }
    }
    assert!(refused > 250, "{refused}");
}

#[test]
fn a_password_that_is_not_there_is_not_repeated() {
    let mut camera = CameraConfig::new("gate".parse().unwrap(), "rtsp://h/");
    camera.password_env = Some("hunter2".to_owned());
    let shown = |camera: &CameraConfig| framepost_ports::chain(&camera.open().err().unwrap());
    assert!(shown(&camera).contains("password_env") && !shown(&camera).contains("hunter2"), "{}", shown(&camera));
    (camera.password_env, camera.password_file) = (None, Some("hunter2".into()));
    assert!(shown(&camera).contains("password_file") && !shown(&camera).contains("hunter2"), "{}", shown(&camera));
}

#[test]
fn secrets_lie_beside_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("edge.toml");
    std::fs::write(&path, format!("{LEAST}password_file = \"gate\"\n[signing]\nkey_file = \"/k\"\n")).unwrap();
    std::fs::write(dir.path().join("gate"), "pass word\nnot this\n").unwrap();
    let config = Config::load(&path).unwrap();
    assert_eq!(config.cameras[0].password().unwrap().as_deref(), Some("pass word"));
    assert_eq!(config.signing.unwrap().key_file, Path::new("/k"));
}
