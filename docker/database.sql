-- Run once, as the superuser, when the database's volume is empty. The product's role owns its database and is no
-- superuser and can't bypass row-level security: otherwise one tenant could see another's rows.
\set ON_ERROR_STOP on
\getenv password DATABASE_PASSWORD
CREATE ROLE rocket LOGIN NOSUPERUSER NOBYPASSRLS CREATEDB PASSWORD :'password';
CREATE DATABASE rocket OWNER rocket;
