"""Runs /run/main.py as a notebook runs a cell: the value of the last expression is printed, open figures become pictures."""
import ast
import linecache
import os
import sys
import traceback

NAME = "main.py"
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg")


def pictures():
    return {name for name in os.listdir(".") if name.lower().endswith(PICTURES)}


def main():
    with open("/run/main.py", encoding="utf-8") as file:
        source = file.read()
    world = {"__name__": "__main__", "__builtins__": __builtins__, "__file__": NAME}
    sys.argv = [NAME]
    sys.path[:0] = [os.getcwd(), "/run"]
    before = pictures()
    code = 0
    try:
        tree = ast.parse(source, NAME)
        last = None
        if tree.body and isinstance(tree.body[-1], ast.Expr):
            last = ast.Expression(tree.body.pop().value)
        exec(compile(tree, NAME, "exec"), world)
        if last is not None:
            value = eval(compile(last, NAME, "eval"), world)
            if value is not None:
                print(repr(value))
    except SystemExit as end:
        code = end.code
    except BaseException as error:
        # From the program's own line on; a syntax error has none.
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename != NAME:
            trace = trace.tb_next
        linecache.cache[NAME] = (len(source), None, source.splitlines(True), NAME)
        traceback.print_exception(type(error), error, trace)
        code = 1
    if "matplotlib.pyplot" in sys.modules:
        import portico_figures

        # Who saved pictures has shown what was to be seen.
        if pictures() - portico_figures.SAVED == before:
            portico_figures.show()
    sys.exit(code)


main()
