"""The rules about what an image holds, a short module a family."""
