-- How far some work over the catalogue is, by its name.
CREATE TABLE mark (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
