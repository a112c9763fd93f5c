"""The calls, a module a resource. A handler looks up, calls one service and answers; it holds no rule."""
