"""What makes a table a tenant's: the abstract model, and the migration operations that put the database behind it."""

from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.db import migrations, models
from django_scopes import ScopedManager

from referral_rocket.kit.ids import uuid7

POLICY = (
    "organization_id = nullif(current_setting('app.organization', true), '')::uuid"
    " OR current_setting('app.every_organization', true) = 'on'"
)


class TenantModel(models.Model):
    """A row that belongs to exactly one organization. Its manager raises outside `accounts.scoping`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.PROTECT, related_name="+")

    if TYPE_CHECKING:
        objects: ClassVar[models.Manager[Self]]
    else:
        objects = ScopedManager(organization="organization")

    class Meta:
        abstract = True


class TenantTable(migrations.RunSQL):
    """Row-level security for a model's table; with `referenced`, the key that composite foreign keys point to.

    The policy also binds the owner (FORCE): there is one role, and it owns the tables.
    """

    def __init__(self, table: str, *, referenced: bool = False) -> None:
        self.table = table
        self.referenced = referenced
        forwards: list[Any] = [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY tenant ON {table} USING ({POLICY})",
        ]
        backwards: list[Any] = [
            f"DROP POLICY tenant ON {table}",
            f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
        ]
        if referenced:
            forwards.append(f"ALTER TABLE {table} ADD CONSTRAINT {table}_tenant_key UNIQUE (organization_id, id)")
            backwards.append(f"ALTER TABLE {table} DROP CONSTRAINT {table}_tenant_key")
        super().__init__(forwards, backwards)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return self.__class__.__name__, [self.table], {"referenced": self.referenced}


class CompositeKey(migrations.RunSQL):
    """A foreign key that can't cross organizations: `(organization_id, column) → (organization_id, id)`.

    Row-level security doesn't check foreign keys. The model's own ForeignKey has `db_constraint=False` beside it.
    """

    def __init__(self, table: str, column: str, target: str) -> None:
        self.arguments = (table, column, target)
        name = f"{table}_{column}_same_organization"[:63]
        super().__init__(
            [
                f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (organization_id, {column})"
                f" REFERENCES {target} (organization_id, id) DEFERRABLE INITIALLY DEFERRED"
            ],
            [f"ALTER TABLE {table} DROP CONSTRAINT {name}"],
        )

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return self.__class__.__name__, list(self.arguments), {}


class AppendOnly(migrations.RunSQL):
    """Rows of this table are never changed or removed, not even by the role that owns it."""

    def __init__(self, table: str) -> None:
        self.table = table
        super().__init__(
            [f"REVOKE UPDATE, DELETE ON {table} FROM CURRENT_USER"],
            [f"GRANT UPDATE, DELETE ON {table} TO CURRENT_USER"],
        )

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return self.__class__.__name__, [self.table], {}
