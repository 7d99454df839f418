"""User, groups and capabilities of a process."""

import errno
import os
from dataclasses import dataclass

from entrypoint.files.attributes import Owner
from entrypoint.linux import capabilities
from entrypoint.linux.capabilities import Capability


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """User, groups and capabilities of the train's process.

    Attributes:
        uid: real, effective and saved user.
        gid: real, effective and saved group.
        groups: supplementary groups.
        keeps: capabilities that it keeps, over execve(2) too; it loses all others.
    """

    uid: int
    gid: int
    groups: tuple[int, ...]
    keeps: frozenset[Capability] = frozenset()

    def owner(self) -> Owner | None:
        """Return user and group, None if the user is that of this process."""
        return None if self.uid == os.getuid() else (self.uid, self.gid)

    def become(self) -> None:
        """Give this process these credentials; in a child, between fork and exec.

        The caller sets no_new_privs before, without which a set-uid program could raise them
        again, and the death signal afterwards, which a change of the user clears.

        Raises:
            OSError: the process has other credentials now, or more than these; it must end.
        """
        kept = capabilities.mask(self.keeps)
        may_limit = bool(capabilities.read_sets().effective >> Capability.SETPCAP & 1)
        if may_limit:
            capabilities.drop_bounding(kept)
        if self.keeps and self.uid:
            if may_limit:
                capabilities.let_access_agree()
            capabilities.keep_at_change_of_user()
        # Setting the same groups again would need a right that a container may lack.
        if not self._has_groups():
            os.setgroups(self.groups)
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)
        capabilities.set_all(kept)
        if self.uid:  # execve(2) leaves root its bounding set; gVisor has no ambient set
            for capability in self.keeps:
                capabilities.raise_ambient(capability)
        self._check(kept, limited=may_limit)

    def _check(self, kept: int, *, limited: bool) -> None:
        """Raise OSError unless this process has these credentials."""
        has_sets = capabilities.read_sets() == (kept, kept, kept)
        has_bounds = not limited or not capabilities.read_bounding() & ~kept
        has_ids = os.getresuid() == (self.uid,) * 3 and os.getresgid() == (self.gid,) * 3
        if not (has_sets and has_bounds and has_ids and self._has_groups()):
            raise OSError(errno.EPERM, "the process has other credentials than it should have")

    def _has_groups(self) -> bool:
        return set(os.getgroups()) == set(self.groups)
