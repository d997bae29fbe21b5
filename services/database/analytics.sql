-- analytics owns its database and nothing else.
\set password `cat /run/credentials/password`
CREATE ROLE analytics LOGIN PASSWORD :'password';
CREATE DATABASE analytics OWNER analytics;
