"""Placeholders: words in capitals for what a message says only at run time."""

import ast

PLACEHOLDERS = {
    "COMMAND": "arguments",
    "FOLDER": "data keys parent",
    "FORM": "",
    "FUNCTION": "co_name",
    "GID": "getgid",
    "HINT": "",
    "HOST_UID": "outside",
    "IDS": "",
    "IMAGE": "",
    "KIND": "__name__",
    "LABEL": "",
    "NAME": "untrusted name_and_value strsignal",
    "NAMES": "present known needless sources choices",
    "NUMBER": "len sum bits files count key_size lineno colno at_peak longest limit total grown "
    "plain free missing needed",
    "PATH": "config executable __file__ filename named output pack place password_file tree "
    "user_key description",
    "PATHS": "folders mounts",
    "REASON": "strerror msg message problem stderr why",
    "SECONDS": "timeout",
    "SIGNAL": "",
    "SOURCE": "",
    "STAGE": "",
    "STATION": "passed_over twice",
    "STATUS": "",
    "UID": "",
    "VALUE": "",
    "VERSION": "__version__ oldest _found",
    "WORD": "first",
}
"""The placeholders on the page, and the names in the code that they stand for besides their own."""

_CLEARER = {name: word for word, names in PLACEHOLDERS.items() for name in names.split()}


def is_placeholder(text: str) -> bool:
    """Return whether a text is nothing but one placeholder."""
    return text.startswith("⟨") and text.find("⟩") == len(text) - 1


def placeholder(node: ast.expr) -> str:
    """Return what stands for an expression: its last name, in capitals."""
    match node:
        case ast.FormattedValue(value=value):
            return placeholder(value)
        case ast.Call(func=ast.Attribute(attr="join"), args=[joined]):
            return placeholder(joined)
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(name)), *_]):
            return f"⟨{name.upper()}⟩"
        case ast.Call(func=ast.Attribute(value=value, attr="lower" | "strip" | "decode")):
            return placeholder(value)
        case ast.Call(
            func=ast.Name(id="str" | "sorted" | "min" | "repr" | "map"), args=[*_, value]
        ):
            return placeholder(value)
        case ast.Call(func=value) | ast.BoolOp(values=[value, *_]) | ast.Subscript(value=value):
            return placeholder(value)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return f"⟨{_CLEARER.get(name.lower(), name.strip('_').upper())}⟩"
        case ast.BinOp():
            return "⟨NUMBER⟩"
    return "⟨…⟩"
