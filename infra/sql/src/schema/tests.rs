use super::*;
use crate::sqlite::Sqlite;
use futures::executor::block_on;

#[test]
fn what_is_there_survives_a_new_version() {
    let mut connection = rusqlite::Connection::open_in_memory().unwrap();
    let mut db = Sqlite::new(&mut connection);
    block_on(async {
        assert_eq!(usize::try_from(NEWEST), Ok(VERSIONS.len()));
        migrate_to(&mut db, 1).await.unwrap();
        db.batch("INSERT INTO camera (site, name, longest_us) VALUES ('plant-7', 'gate', 3000000)").await.unwrap();
        assert!(db.query("SELECT 1 FROM happening", &[]).await.is_err(), "the second version has it");
        for _ in 0..2 {
            migrate(&mut db).await.unwrap();
            let rows = db.query("SELECT name FROM camera", &[]).await.unwrap();
            assert_eq!(rows[0].text(0).unwrap(), "gate");
            assert!(db.query("SELECT 1 FROM happening", &[]).await.unwrap().is_empty());
        }
        db.execute("INSERT INTO framepost_schema (version) VALUES ($1)", values![NEWEST + 1]).await.unwrap();
        let error = migrate(&mut db).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    });
}
