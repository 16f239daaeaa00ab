"""Which intent a text asks for: the text is compared with the utterances that the bot's author has
written. There is no machine learning here, and the same text is always understood in the same way.

hassil matches; where an utterance has a slot, it takes any words, and the slot's type decides what
they are worth. If no utterance explains a text in full, utterances count that are a part of it.

How sure it is: the share of the words that are explained, by the utterance or as a value that the
slot's type knows. Words of free text count half.
"""

import dataclasses
import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hassil import Intents, recognize_all
from hassil.intents import Intent as _Intent
from hassil.intents import (
    IntentData,
    IntentsSettings,
    SlotList,
    WildcardSlotList,
)
from hassil.recognize import RecognizeResult

from lambent.model.lex.locale import Intent, Locale, Slot, parts_of
from lambent.model.lex.slot_values import resolve_slot
from lambent.model.lex.understood import Understood
from lambent.model.lex.values import Context
from lambent.model.lex.words import bare, folded, words_of

_EXTRA = ("before", "after")
_WAYS_MAX = 20_000
"""How many ways of reading a text may be tried at once: wildcards of hassil try every occurrence of
what follows them. Utterances beyond it are left out."""
_READINGS_MAX = 64
"""Of one utterance."""
_SPLITS_MAX = 500
"""How many ways of sharing words among slots that follow each other may be tried."""
_LITERALS_MIN = 2
"""Words besides slots that an utterance must have to count as a part of a text, or without values
for its slots."""
_WITHOUT_SPACES = frozenset({"ja", "zh"})
_META = str.maketrans(dict.fromkeys("()[]{}<>|;:\\", " "))

logging.getLogger("hassil").setLevel(logging.ERROR)


@dataclasses.dataclass(frozen=True)
class _Template:
    """An utterance as hassil takes it."""

    intent: Intent
    slots: Mapping[str, tuple[str, ...]]
    """Names of slots by the names of their lists: slots without a word between them share one."""
    literals: tuple[str | None, ...]
    """Texts in lower case, None for what can be any words."""
    data: IntentData

    @property
    def literal_words(self) -> int:
        """How many words the utterance has besides slots."""
        return sum(len(each.split()) for each in self.literals if each is not None)

    def ways(self, text: str, words: int) -> int:
        """How many ways of reading `text` hassil may try; 0 if it cannot match."""
        ways = 1
        for at, literal in enumerate(self.literals):
            if literal is not None:
                if literal not in text:
                    return 0
                continue
            following = self.literals[at + 1] if at + 1 < len(self.literals) else ""
            # What is around an utterance can be next to a slot of it.
            ways *= max(1, words if following is None else text.count(following or "\n"))
        return ways


class Matcher:
    """Understands texts in one locale."""

    def __init__(self, locale: Locale) -> None:
        self._locale = locale
        self._lists: dict[str, SlotList] = {each: WildcardSlotList(each) for each in _EXTRA}
        self._whole = [
            template
            for intent in locale.intents.values()
            for utterance in intent.utterances
            if (template := self._template(intent, utterance)) is not None
        ]
        self._longer = list(_parts(self._whole))
        """Each utterance as a part of a text."""
        self._of_slots: dict[tuple[str, str], list[_Template]] = {}
        for intent in locale.intents.values():
            for slot in intent.slots.values():
                found = (self._template(intent, each) for each in slot.utterances)
                self._of_slots[intent.name, slot.name] = [each for each in found if each]

    def understand(
        self, text: str, context: Context, contexts: Iterable[str] = ()
    ) -> list[Understood]:
        """The intents that a text may ask for, the best first. `contexts` are active."""
        active = frozenset(contexts)
        found = self._match(text, _usable(self._whole, active), context)
        if not any(each.score == 1.0 for _, each in found):
            found += self._match(text, _usable(self._longer, active), context)
        best: dict[str, tuple[int, Understood]] = {}
        for literals, each in found:
            known = best.get(each.intent)
            if known is None or (each.score, literals) > (known[1].score, known[0]):
                best[each.intent] = literals, each
        ranked = sorted(best.values(), key=lambda pair: (-pair[1].score, -pair[0]))
        return [each for _, each in ranked]

    def of_slot(self, text: str, intent: str, slot: str, context: Context) -> Mapping[str, Any]:
        """What a text says when a slot is elicited, by the slot's own utterances: documents of
        values by slot."""
        found = self._match(text, self._of_slots.get((intent, slot), ()), context)
        said = [each for _, each in found if slot in each.slots]
        return max(said, key=lambda each: each.score).slots if said else {}

    def _template(self, intent: Intent, utterance: str) -> _Template | None:
        sentence: list[str] = []
        literals: list[str | None] = []
        slots: dict[str, tuple[str, ...]] = {}
        for text, name in parts_of(utterance):
            words = folded(text.translate(_META))
            if words:
                sentence.append(words)
                literals.append(words)
            elif name in intent.slots:
                if literals and literals[-1] is None:
                    key, names = slots.popitem()
                    slots[key] = (*names, name)
                    continue
                key = f"s{len(slots)}"
                self._lists.setdefault(key, WildcardSlotList(key))
                slots[key] = (name,)
                sentence.append(f"{{{key}}}")
                literals.append(None)
        if not sentence:
            return None
        return _Template(intent, slots, tuple(literals), IntentData([" ".join(sentence)]))

    def _match(
        self, text: str, templates: Sequence[_Template], context: Context
    ) -> list[tuple[int, Understood]]:
        """The utterances that a text matches, with the words that they have in common."""
        plain = " ".join(word for word in map(bare, text.split()) if word)
        flat, words, left = folded(plain), len(words_of(plain)), _WAYS_MAX
        chosen: dict[str, _Intent] = {}
        for at, template in enumerate(templates):
            ways = template.ways(flat, words)
            if ways and (left := left - ways) >= 0:
                chosen[str(at)] = _Intent(str(at), data=[template.data])
        if not chosen or not words:
            return []
        language = context.locale.partition("_")[0]
        settings = IntentsSettings(ignore_whitespace=language in _WITHOUT_SPACES)
        intents = Intents(language, chosen, self._lists, settings=settings)
        found: dict[str, tuple[int, Understood]] = {}
        tried: dict[str, int] = {}
        for result in recognize_all(plain, intents):
            key = result.intent.name
            tried[key] = tried.get(key, 0) + 1
            known = found.get(key)
            if tried[key] > _READINGS_MAX or (known is not None and known[1].is_whole):
                continue
            template = templates[int(key)]
            read = _read(template, result, words, context)
            if read is not None and (known is None or read.score > known[1].score):
                found[key] = template.literal_words, read
        return list(found.values())


def _read(
    template: _Template, result: RecognizeResult, words: int, context: Context
) -> Understood | None:
    """What a match says. Words that stand for a slot and are no value of it explain nothing: if the
    utterance has hardly other words, it does not match."""
    slots: dict[str, Any] = {}
    explained = float(template.literal_words)
    for key, names in template.slots.items():
        entity = result.entities.get(key)
        said = [] if entity is None else entity.text.split()
        ordered = [template.intent.slots[each] for each in names]
        for name, words_said, value in _shared(ordered, said, context):
            slots[name] = value
            slot = template.intent.slots[name]
            explained += len(words_of(words_said)) * (0.5 if slot.type.is_free else 1.0)
    is_whole = len(slots) == len({name for names in template.slots.values() for name in names})
    if not is_whole and template.literal_words < _LITERALS_MIN:
        return None
    score = round(min(1.0, explained / words), 2)
    return Understood(template.intent.name, score, slots, is_whole)


def _usable(templates: Sequence[_Template], active: frozenset[str]) -> Sequence[_Template]:
    """Those of intents whose contexts are active."""
    return [each for each in templates if each.intent.contexts <= active]


def _shared(
    slots: Sequence[Slot], words: Sequence[str], context: Context
) -> list[tuple[str, str, dict[str, Any]]]:
    """Words as the values of slots that follow each other: names, texts and values. The first way
    of sharing them in which each is a value; nothing if there is none."""
    count = len(slots)
    splits = itertools.combinations(range(1, len(words)), count - 1)
    for cuts in itertools.islice(splits, _SPLITS_MAX):
        bounds = (0, *cuts, len(words))
        said = [" ".join(words[bounds[at] : bounds[at + 1]]) for at in range(count)]
        found = [resolve_slot(slot, text, context) for slot, text in zip(slots, said, strict=True)]
        values = [value for value in found if value is not None]
        if len(values) == count:
            names = [slot.name for slot in slots]
            return list(zip(names, said, values, strict=True))
    return []


def _parts(templates: Sequence[_Template]) -> Iterator[_Template]:
    """Each utterance as a part of a text."""
    before, after = (f"{{{each}}}" for each in _EXTRA)
    for template in templates:
        if template.literal_words < _LITERALS_MIN:
            continue
        (sentence,) = template.data.sentence_texts
        literals = template.literals
        for extended, around in (
            (f"{before} {sentence}", (None, *literals)),
            (f"{sentence} {after}", (*literals, None)),
            (f"{before} {sentence} {after}", (None, *literals, None)),
        ):
            yield dataclasses.replace(template, literals=around, data=IntentData([extended]))
