"""Every constant of the ranking, each with how it was chosen.

"LoCoMo", "lessons" and "intents" are the evaluation's data sets. "Alike" names a plateau: within it
the results differ by less than the noise, and a round number was taken. Chosen by leaving out one
conversation of LoCoMo at a time, all constants but `NAMED_SHARE` and the typicality stay as here.
"""

BM25_K1 = 1.2
"""Saturation of a repeated term: the standard value of Robertson and Zaragoza (2009)."""

BM25_B = 0.75
"""Share of the length normalisation: standard; 0.5 alike on LoCoMo, worse on lessons."""

QUERY_TERMS = 128
"""Terms of a query that count, the weightiest first: bounds the cost of a very long query."""

CENTRING_PRIOR = 10.0
"""Candidates' worth of "no common direction" in the mean that is taken out of the vectors.

It matters for few candidates only: of one alone the mean would be all there is.
"""

WORDS_AT_MOST = 1.2
"""Weight of words, meaning having 1, where nothing speaks for meaning: 1 to 1.6 alike on LoCoMo."""

WORDS_AT_LEAST = 0.2
"""The same where the evidence for meaning is full: 0.1 to 0.3 alike on lessons and intents."""

FEW_TERMS, MANY_TERMS = 8, 32
"""Distinct query terms from which on words begin to lose to meaning, and have wholly lost.

Questions have 3 to 8, issue reports 80.
"""

ANOTHER_KIND, SAME_KIND = -1.0, 0.0
"""Typicality range over which the query comes to count as the same kind of text as the candidates.

Issues among issues and messages among messages have about 0, questions about a chat -1.7.
"""

LIKE, ALIKE = 0.7, 0.9
"""Cosine of the nearest candidate at which it begins to say, and says, the same as the query."""

CLOSE, CLOSEST = 0.5, 0.8
"""Mean cosine of the nearest few at which the alike begin to speak for each other, and fully do."""

ALIKE_SHARE = 0.5
"""Longest step towards the mean score of the alike.

Gains 1 to 2 of nDCG@10 on intents at no cost in hits; 0.7 gains little more and costs hits.
"""

ALIKE_NEIGHBOURS = 10
"""Nearest candidates that speak for each: 10 and 20 alike on intents."""

ALIKE_POOL = 100
"""Best candidates among which it is done; 200 gained nothing."""

ALIKE_SHARPNESS = 10.0
"""Weight of an alike candidate: exp(sharpness * (cosine - 1)); 5 and 10 alike, 20 worse."""

NAMED_SHARE = 0.1
"""What a memory gains by the one speaker, or an entity, that the query names.

0.2 gains 0.5 points on LoCoMo, and loses 8 to 15 where the wrong one of two is named.
"""

GRAPH_SHARE = 0.1
"""What a memory gains at most, of the best content score, by the way over entities and relations
from what the query names.

As much as `NAMED_SHARE`, whose evidence is of the same sort: a name, and not what is said of it. So
much lifts a memory without a word of the query over those that fit it a little, and never over one
that answers it. No data set of ours has relations; where no memory has any the gain is 0.
"""

SECOND_HOP = 0.5
"""What of it is left two hops away."""

NAME_WORDS = 4
"""Words of the longest name that is looked up in a large scope."""

NAMING_WORDS = 256
"""Words of a query among which names are looked for, the first ones."""

REPLY_SHARE = 0.1
"""What a question in a conversation hands on to its reply: 0.05 to 0.15 alike on LoCoMo."""

REMARK_TERMS = 1.0
"""Terms of a message in a conversation at which half its worth is gone: "Thanks!" tells little.

0.5 to 2 alike on LoCoMo.
"""

WHEN_SHARE = 0.1
"""What a memory that tells a time gains on a question for one: 0.05 to 0.2 alike on LoCoMo."""

RECENCY_SHARE = 0.03
"""What a memory of this moment gains: enough to put the newer of two alike first, and no more.

No data set of ours tests age; the bound keeps it from deciding between unlike memories.
"""

DAY = 86_400.0
RECENCY_HALF_LIFE = 30 * DAY
"""Seconds in which that gain halves: a month, as other memory servers have it."""

HALF_LIVES = {"outcome": 90 * DAY, "procedure": 180 * DAY, "lesson": 365 * DAY}
"""The same for kinds that stay true for longer: what worked, how it is done, what was learnt."""

PSEUDO_MARKS, PSEUDO_MARKS_HERE = 5.0, 2.0
"""Marks that say nothing and are added to those given, in general and for a question.

This and the next three were chosen on LoCoMo's feedback simulation: questions whose answer had been
marked as helpful gain 2 of MRR, and where all marks are wrong 2 are lost over all. Stronger ones
gain more there, and harm answers that were marked as unhelpful for another question.
"""

LIKENESS_POWER = 6.0
"""Power of the cosine of two questions by which a mark for one counts for the other."""

USEFUL_SHARE = 0.15
"""What a memory gains or loses at most, of its own score, by how useful it has been in general."""

USEFUL_HERE_SHARE = 0.1
"""What it gains or loses at most, of the best score, for questions like this one."""

STRANGERS, COMPANIONS = 0.05, 0.15
"""Mean cosine of neighbours at which a run begins to be a conversation, and fully is one.

In LoCoMo it is 0.18 to 0.28; of texts in random order it is 0.
"""

COHERENCE_SAMPLE = 128
"""Pairs of neighbours looked at to tell whether a run is a conversation."""

COHERENCE_PRIOR = 10.0
"""Pairs of usual neighbours that are added to those seen, so that short runs keep their context."""

CONTEXT_TERMS = 40.0
"""Mean terms of two messages at which each counts half in the other's window.

25 to 80 alike on LoCoMo (13 a turn); with six turns joined into one (80) windows must be faint.
"""

LIKENESS_OF_NEIGHBOURS = 0.2
"""Usual cosine of two messages that follow each other, after centring (LoCoMo)."""

RERANK_SHARE = 0.6
"""Of a score that a reranking model's relevance makes up, where one is configured (a choice, not
measured: it was made without such a model)."""

DUPLICATE_COSINE = 0.97
"""From this cosine on two memories say the same (different numbers or negations: not)."""

REMARK_WORDS = 4
"""A message of so few words lives by its context, and repeats nobody."""

CACHED_TEXTS = 50_000
"""Texts whose terms are kept: the candidates of many recalls."""

CACHED_CHARACTERS = 20_000_000
"""Characters of the texts whose terms are kept: bounds the cache where texts are long."""

LONGEST_WORD = 64
"""Characters of a word that count: a longer one is data, not language."""
