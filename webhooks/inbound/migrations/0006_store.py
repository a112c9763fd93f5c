from django.db import migrations

# What the door does for each event, as a function since PostgreSQL keeps the plan of what is inside it for as long as a
# connection lasts: planning the INSERT, with its row-level security and conflict, costs as much as carrying it out. A
# prepared statement would do the same, but not behind every PgBouncer.
STORE = """
CREATE FUNCTION inbound_store(
    event uuid, organization uuid, connection uuid, provider_event text, kind text, live boolean, raw bytea,
    moment timestamptz
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.organization', organization::text, true);
    INSERT INTO inbound_inboundevent (
        id, organization_id, connection_id, provider_event_id, event_type, livemode, body, received_at, status, reason,
        attempts, next_attempt_at)
    VALUES (event, organization, connection, provider_event, kind, live, raw, moment, 'RECEIVED', '', 0, moment)
    ON CONFLICT (connection_id, provider_event_id) DO NOTHING;
    RETURN found;
END $$
"""
DROP = "DROP FUNCTION inbound_store(uuid, uuid, uuid, text, text, boolean, bytea, timestamptz)"


class Migration(migrations.Migration):
    dependencies = [
        ("inbound", "0005_replays"),
    ]

    operations = [migrations.RunSQL(STORE, DROP)]
