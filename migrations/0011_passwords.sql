-- The last password that somebody chose themselves before the present one, hashed as that is: it is not chosen again.
ALTER TABLE users ADD COLUMN previous_password_hash TEXT;
