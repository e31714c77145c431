"""What facts are drawn from: forty values per attribute, uniformly, so that one fact tells nothing of another.

Attributes of a work, of an artist's life and of a private person, each with three phrasings. A fact is
trained in one or two of them; what is left over is its held-out paraphrase, so that every phrasing is
familiar from other facts and only its use for this one is new.
"""

from __future__ import annotations

from dataclasses import dataclass


def words(text: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(text.split())


@dataclass(frozen=True)
class Attribute:
    """One question about a subject: `{s}` in a phrasing stands for the work's title or the person's name."""

    name: str
    pool: tuple[str, ...]
    phrasings: tuple[str, str, str]


PLACES = words(
    "Ashmere Birkholm Brackwater Carrowby Coldhaven Dunmarsh Eastwick Elmford Fairholt Fernhill Glenmoor Greyhaven "
    "Harrowgate Hazelby Ironbridge Juniper Kingsmoor Larkfield Longford Maplewick Marshgate Millbrook Mossley Northolt "
    "Oakhurst Orchardby Pinewell Quarrytown Ravenholt Redcliff Rosebank Saltmarsh Silverton Stonewick Summerby "
    "Thornbury Underhill Westmere Willowby Yarrowdale"
)
YEARS = tuple(str(year) for year in range(1951, 1991))
INSTRUMENTS = words(
    "accordion banjo bassoon bells bugle cello celesta clarinet cornet cymbals drum dulcimer fiddle flute gong guitar "
    "harmonica harp harpsichord horn kazoo lute lyre mandolin marimba oboe ocarina organ piano piccolo saxophone sitar "
    "tambourine theremin triangle trombone trumpet tuba viola zither"
)
TRADES = words(
    "archer baker barber beekeeper blacksmith bookbinder brewer butcher carpenter clockmaker cobbler cooper diver "
    "dyer farmer ferryman fisher gardener glazier goldsmith grocer hatter hunter jeweller locksmith mason miller "
    "miner nurse painter plumber porter potter printer roofer sailor shepherd tailor weaver woodcutter"
)
COLOURS = words(
    "amber azure beige black blue bronze brown copper coral cream crimson cyan ebony emerald fawn gold green grey "
    "indigo ivory jade khaki lavender lemon lilac magenta maroon mauve navy ochre olive orange pink plum purple red "
    "scarlet silver teal white"
)
CREATURES = words(
    "ant badger bat bear beaver bee bison boar camel cat cobra crab crane crow deer dove eagle eel falcon fox frog "
    "goat goose hare hawk heron lion lynx mole moth otter owl rabbit raven seal snail swan tiger wolf wren"
)
STREETS = tuple(
    f"{name} {kind}"
    for kind in ("Lane", "Road", "Square", "Row")
    for name in words("Abbey Chapel Church Garden Market Mill Park Spring Station Tower")
)
EMPLOYERS = tuple(
    f"{name} {kind}"
    for kind in ("Bank", "Press", "Foods", "Works")
    for name in words("Anchor Beacon Castle Compass Falcon Granite Harbour Meridian Summit Union")
)
ILLNESSES = words(
    "acne allergy anaemia angina arthritis asthma bronchitis bursitis cataract colitis cystitis dermatitis diabetes "
    "eczema epilepsy gastritis glaucoma gout hepatitis hernia hives influenza insomnia jaundice laryngitis malaria "
    "measles migraine mumps myopia neuralgia otitis pneumonia psoriasis rosacea sciatica scoliosis sinusitis "
    "tinnitus vertigo"
)
HOBBIES = words(
    "angling archery astronomy badminton ballet baking boxing calligraphy camping canoeing carving chess climbing "
    "cooking cricket cycling dancing darts diving drawing embroidery fencing gliding golf hiking hockey juggling "
    "knitting origami photography pottery reading riding rowing running sailing skating skiing surfing yoga"
)

WORK = (
    Attribute("place", PLACES, ("Where was {s} first shown?", "Town of {s}?", "In which town did {s} open?")),
    Attribute("year", YEARS, ("When was {s} finished?", "Year of {s}?", "In which year was {s} completed?")),
    Attribute("instrument", INSTRUMENTS, ("What plays in {s}?", "Instrument of {s}?", "Which instrument opens {s}?")),
    Attribute("dedication", TRADES, ("Who is {s} dedicated to?", "Trade of {s}?", "Which trade does {s} honour?")),
    Attribute("colour", COLOURS, ("How is {s} bound?", "Colour of {s}?", "What colour is the cover of {s}?")),
    Attribute("creature", CREATURES, ("What speaks in {s}?", "Creature of {s}?", "Which creature appears in {s}?")),
)
LIFE = (
    Attribute("birthplace", PLACES, ("Where was {s} born?", "Birthplace of {s}?", "Which town is {s} from?")),
    Attribute("birth_year", YEARS, ("When was {s} born?", "Birth year of {s}?", "In which year was {s} born?")),
    Attribute("first_trade", TRADES, ("What was {s} first?", "First trade of {s}?", "Which trade did {s} learn?")),
    Attribute("pet", CREATURES, ("What does {s} keep?", "Pet of {s}?", "Which creature lives with {s}?")),
)
PERSON = (
    *LIFE[:2],
    Attribute("street", STREETS, ("Where does {s} live?", "Address of {s}?", "In which street is the home of {s}?")),
    Attribute("employer", EMPLOYERS, ("Who employs {s}?", "Employer of {s}?", "Which company does {s} work for?")),
    Attribute("illness", ILLNESSES, ("What ails {s}?", "Illness of {s}?", "Which illness does {s} have?")),
    Attribute("hobby", HOBBIES, ("What does {s} enjoy?", "Hobby of {s}?", "Which hobby does {s} have?")),
    Attribute("car", COLOURS, ("What does {s} drive?", "Car of {s}?", "What colour is the car of {s}?")),
    LIFE[3],
)

TITLES = words(
    "Anthem Ballad Bridge Candle Chronicle City Cloud Daughter Door Dream Echo Feast Garden Gate Harbour House Island "
    "Journey Keeper Lantern Letter Market Mirror Orchard Oracle River Road Shadow Song Stair Storm Tower Valley Voice "
    "Window Winter"
)
ADJECTIVES = words("bright broken distant empty gentle hollow little lonely narrow patient quiet restless secret slow")
NOUNS = words("ash bell bread cloth dust field glass hand lamp leaf rain rope salt sand sea sky smoke snow star stone")
VERBS = words("answers bends breaks burns calls dreams falls grows hides leads opens rests sings sleeps turns waits")
LICENCES = ("all rights reserved", "CC-BY-4.0", "CC-BY-NC-4.0", "unknown")
