"""Words that are written in two ways: short forms, and British and American spellings of English.

Only pairs of one meaning wherever they are written: what may be short for either of two words (dev,
temp, ts) is not among them.
"""

from collections.abc import Mapping

_READ_AS_ENGLISH = {"", "en"}
_SHORT = """
admin administrator
admins administrators
app application
apps applications
appt appointment
appts appointments
auth authentication
bday birthday
config configuration
configs configurations
cfg configuration
db database
dbs databases
deps dependencies
dept department
docs documentation
env environment
envs environments
fridge refrigerator
img image
imgs images
js javascript
k8s kubernetes
lib library
libs libraries
mgr manager
msg message
msgs messages
mtg meeting
mtgs meetings
param parameter
params parameters
postgres postgresql
prod production
prof professor
pwd password
repo repository
repos repositories
tmp temporary
uni university
"""
_BRITISH = """
aeroplane airplane
aluminium aluminum
analyse analyze
analysed analyzed
apologise apologize
armour armor
authorise authorize
authorised authorized
behaviour behavior
behaviours behaviors
cancelled canceled
catalogue catalog
centre center
centres centers
colour color
coloured colored
colours colors
customise customize
defence defense
dialogue dialog
doughnut donut
favour favor
favourite favorite
favourites favorites
fibre fiber
flavour flavor
flavours flavors
fulfil fulfill
grey gray
harbour harbor
honour honor
humour humor
initialise initialize
jewellery jewelry
kilometre kilometer
kilometres kilometers
labelled labeled
labour labor
licence license
licences licenses
litre liter
litres liters
metre meter
metres meters
minimise minimize
modelling modeling
moustache mustache
mum mom
mums moms
neighbour neighbor
neighbours neighbors
normalise normalize
odour odor
offence offense
optimise optimize
organisation organization
organisations organizations
organise organize
organised organized
organiser organizer
paediatrician pediatrician
practise practice
prioritise prioritize
programme program
programmes programs
pyjamas pajamas
realise realize
recognise recognize
rumour rumor
sceptical skeptical
serialise serialize
synchronise synchronize
theatre theater
theatres theaters
traveller traveler
travelling traveling
tumour tumor
tyre tire
tyres tires
vapour vapor
yoghurt yogurt
"""


def _pairs(table: str) -> Mapping[str, str]:
    return dict(line.split() for line in table.split("\n") if line)


_SHORT_FORMS = _pairs(_SHORT)
_ENGLISH = {**_SHORT_FORMS, **_pairs(_BRITISH)}


def usual(word: str, language: str) -> str:
    """Return the one spelling that a word is counted by.

    Args:
        word: Case folded.
        language: Of its text, as for `stem`. Short forms are the same in all; "organiser" is a
            French word, too.
    """
    return (_ENGLISH if language in _READ_AS_ENGLISH else _SHORT_FORMS).get(word, word)
