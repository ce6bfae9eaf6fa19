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

/// What was written before there were packed hours is packed as well.
#[test]
fn hours_of_an_older_version_are_packed() {
    let mut connection = rusqlite::Connection::open_in_memory().unwrap();
    let mut db = Sqlite::new(&mut connection);
    block_on(async {
        migrate_to(&mut db, 5).await.unwrap();
        db.batch("INSERT INTO camera (id, site, name, longest_us) VALUES (1, 'plant-7', 'gate', 3000000)")
            .await
            .unwrap();
        for (n, from_us) in [7_200_000_000_i64, 7_203_000_000, 10_799_999_999, 14_400_000_000].into_iter().enumerate() {
            let sql =
                "INSERT INTO chunk (camera, from_us, to_us, key, place, version, time_us, size_bytes, codec, signature,
                    chain, newest, record)
                VALUES (1, $1, $2, $3, 'local/footage', '1', $2, 100, 'avc1', 'valid', 'linked', 1, '{}')";
            db.execute(sql, values![from_us, from_us + 3_000_000, n.to_string()]).await.unwrap();
        }
        migrate(&mut db).await.unwrap();
        assert_eq!(crate::hours::pack(&mut db, 15_000_000_000, 10).await.unwrap(), 2);
        let rows = db.query("SELECT from_us, chunks, length_us, bytes FROM hour ORDER BY from_us", &[]).await.unwrap();
        let hours: Vec<Vec<i64>> = rows.iter().map(|row| (0..4).map(|at| row.int(at).unwrap()).collect()).collect();
        assert_eq!(hours, [[7_200_000_000, 3, 9_000_000, 300], [14_400_000_000, 1, 3_000_000, 100]]);
        assert_eq!(crate::hours::pack(&mut db, i64::MAX, 10).await.unwrap(), 0);
        // A row that cannot be read keeps its own hour from being packed, and nothing else.
        db.batch("UPDATE hour SET chunks = NULL; UPDATE chunk SET chain = 'tangled' WHERE from_us = 7203000000")
            .await
            .unwrap();
        assert_eq!(crate::hours::pack(&mut db, i64::MAX, 10).await.unwrap(), 2);
        let rows = db.query("SELECT from_us FROM hour WHERE chunks IS NOT NULL", &[]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.int(0).unwrap()).collect::<Vec<_>>(), [14_400_000_000]);
        assert_eq!(crate::hours::pack(&mut db, i64::MAX, 10).await.unwrap(), 0, "it is not tried again and again");
    });
}
