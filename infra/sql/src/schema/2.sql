-- What was written, in the order in which it was.
CREATE TABLE happening (
    {id},
    record TEXT NOT NULL
);
