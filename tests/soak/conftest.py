from tests.system.conftest import world, yard

__all__ = ["world", "yard"]
