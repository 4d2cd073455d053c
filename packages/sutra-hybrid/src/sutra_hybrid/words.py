"""Words, the units by which texts, questions and kinds of associations are compared."""

import re

# One letter or digit is a word too; scikit-learn's default drops them.
_WORD = re.compile(r"\w+")
# In "capital_of" and "partOf" are two words, though not in the text of a concept.
_KIND_WORD = re.compile(r"[^\W_]+?(?=[A-Z][^\WA-Z_]|[\W_]|$)")
# Bounds the memory of an index, whatever the texts hold.
MAX_VOCABULARY = 200_000


def words(text: str) -> list[str]:
    """Return the words of a text, in order, in lower case."""
    return _WORD.findall(text.lower())


def kind_words(kind: str) -> frozenset[str]:
    """Return the words of the kind of an association: `partOf` and `part_of` have two."""
    return frozenset(word.lower() for word in _KIND_WORD.findall(kind))


class Vocabulary:
    """Returns the words of a text, without those that come when there are `most` already."""

    def __init__(self, most: int = MAX_VOCABULARY) -> None:
        """Start without words; which ones are kept depends on the order of the texts."""
        self.most = most
        self.words: set[str] = set()

    def __call__(self, text: str) -> list[str]:
        """Return the known words of a text, new ones included while there is room."""
        tokens = words(text)
        if len(self.words) < self.most:
            for word in tokens:
                if len(self.words) == self.most:
                    break
                self.words.add(word)
        return [word for word in tokens if word in self.words]
