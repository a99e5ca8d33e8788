"""Words that mean the same thing in the names of many teams, by what their presence or absence means."""

from __future__ import annotations

from typing import Final

#: Words that mean only that it is a club, and particles.
CLUB: Final = frozenset(
    """
    fc football futbol calcio cf afc sc ac cd ud sd ad rc as ss us bk if fk sk nk hc bc kk ca cs sv vfb vfl tsv fsv rb club
    de the of and cp jk ff cfc ec se ks ssc acf ogc rcd osc losc fcb bsc sl cr nfc sfc aik clube futebol esporte fotball
    fotboll klub kulubu spor afs ik il gc mc gnk pfc pfk tsg spvgg msk mfk zao bv krc rsc kv kaa ksc esports esport gaming
    tc ehc ssv eto hnk ifk foot da do dos das di hf aa nps fr aj ol hk kc cfr
    team bbc cb basket basketball basquet baloncesto basketbol sco aj ae pec thw rk hbc sg hb handbold handbol hockey
    handball handbal volley volleyball cricket rugby rlfc rfc
    """.split()
)
#: Abbreviations that distinguish clubs of a town, if both names have one: UD Logrones is not SD Logrones.
DISTINCT_CLUB: Final = frozenset("sc ac as ad cd ud sd ca us ss sv vfb vfl tsv fsv mc cr se es js ec hk bc".split())
#: Words that many clubs share: they distinguish two clubs of a town, but identify none by themselves.
_SHARED: Final = """
    united wednesday city town rovers wanderers athletic albion county hotspur rangers real sporting racing olympique dynamo
    dinamo lokomotiv spartak zenit atletico deportivo national nacional university college hove palace villa forest argyle
    orient alexandra academical thistle celtic hearts victory mariners wanderers torpedo cska metalist shakhtar partizan
    maccabi hapoel borussia fortuna eintracht werder union hertha ajax saint sint independiente estudiantes stade libertad
    london
    """.split()
#: Second names of American and Australian teams: they are left out as often as not, but no team has two.
_MASCOTS: Final = """
    super riders knight challengers royals sunrisers yankees mets sox cubs orioles rays royals tigers twins guardians
    indians astros angels athletics mariners rangers braves marlins phillies nationals pirates brewers cardinals reds
    diamondbacks dbacks rockies dodgers padres giants jays celtics nets knicks sixers raptors bulls cavaliers cavs pistons
    pacers bucks hawks hornets heat magic wizards nuggets timberwolves wolves thunder blazers jazz warriors clippers lakers
    suns kings mavericks mavs rockets grizzlies pelicans spurs aces liberty lynx storm sky fever mercury mystics sparks
    wings dream sun valkyries patriots bills dolphins jets ravens bengals browns steelers texans colts jaguars titans
    broncos chiefs raiders chargers cowboys eagles commanders redskins bears lions packers vikings falcons panthers saints
    buccaneers bucs rams seahawks niners bruins sabres canadiens habs senators lightning leafs hurricanes islanders flyers
    penguins capitals caps blackhawks avalanche stars wild predators preds blues coyotes flames oilers ducks canucks sharks
    kraken knights devils jackets mammoth huskies cougars beavers wolverines spartans buckeyes hoosiers boilermakers illini
    hawkeyes badgers gophers cornhuskers huskers nittany terrapins terps hokies cavaliers gators seminoles noles hoosier
    crimson tide sooners longhorns aggies razorbacks volunteers vols commodores bulldogs gamecocks rebels wildcats jayhawks
    cyclones mountaineers horned frogs utes buffaloes buffs bearcats knights cardinal tarheels tar heels wolfpack deacons
    demon orange yellow jackets irish fighting bruins trojans golden bobcats redhawks rockets chippewas broncos bulls owls
    mustangs hilltoppers thundering herd aztecs lobos falcons zips bluejays musketeers hoyas friars pirates johnnies gaels
    zags dons toreros lumberjacks bengals vandals grizzlies catamounts paladins dukes monarchs rams spiders explorers
    colonials flyers billikens bonnies minutemen swans magpies bombers demons dockers cats blues crows bulldogs kangaroos
    eels roosters rabbitohs broncos sea titans raiders knights panthers warriors dragons storm cowboys tigers sharks chiefs
    crusaders hurricanes highlanders brumbies waratahs reds rebels force rhinos wolves saints red white blue maple trail
    76ers 49ers bull sixers miners roadrunners quakers friars
    """.split()
MASCOTS: Final = frozenset(_MASCOTS)
SHARED: Final = frozenset(_SHARED)
GENERIC: Final = SHARED | MASCOTS
#: Words that make another team of the name they are added to: Washington State is not Washington. They are never left out.
DISTINGUISHING: Final = frozenset(
    """
    state north south east west northern southern eastern western central middle upper lower new tech am international
    christian coastal poly atlantic gulf pacific methodist equatorial papua bissau inter northeast northwest southeast
    southwest northeastern northwestern southeastern southwestern republic democratic dr nord sud este oeste norte sur sul
    at uc legends allstars mount fort valley
    """.split()
)
#: Common abbreviations of words.
ABBREVIATIONS: Final = dict(
    pair.split("=")
    for pair in """
    mavs=mavericks vols=volunteers caps=capitals wests=west lvov=lviv cavs=cavaliers bucs=buccaneers dbacks=diamondbacks
    nz=new+zealand eq=equatorial sankt=saint sint=saint jrs=juniors mkhvy=maccabi mkvy=maccabi hfvl=hapoel hpvl=hapoel utd=united
    untd=united pk=park ut=united man=manchester manch=manchester mun=manchester+united mcfc=manchester+city
    mufc=manchester+united nott=nottingham nottm=nottingham notts=nottingham shef=sheffield sheff=sheffield wed=wednesday
    weds=wednesday ath=athletic athl=athletic atl=atletico st=saint ste=saint nth=north sth=south bor=borussia
    mgladbach=monchengladbach wan=wanderers wand=wanderers wndrs=wanderers rov=rovers rvrs=rovers rgrs=rangers cty=city
    twn=town pal=palace vil=villa univ=university uni=university intl=international int=international
    ny=new+york dyn=dynamo din=dynamo dinamo=dynamo dep=deportivo depor=deportivo lok=lokomotiv spt=sporting
    sp=sporting vic=victory ntl=national natl=national rac=racing est=estudiantes ein=eintracht oly=olympiacos
    munchen=munich muenchen=munich koeln=cologne koln=cologne moskva=moscow moskau=moscow mosca=moscow kiev=kyiv kiew=kyiv
    kiyev=kyiv praha=prague beograd=belgrade milano=milan torino=turin roma=rome napoli=naples wien=vienna warszawa=warsaw
    lisboa=lisbon sevilla=seville athens=athens bucuresti=bucharest bucurest=bucharest kobenhavn=copenhagen
    goteborg=gothenburg krakow=cracow fla=florida carol=carolina mich=michigan okla=oklahoma wash=washington ariz=arizona
    ore=oregon colo=colorado tenn=tennessee ill=illinois miss=mississippi minn=minnesota mont=montana neb=nebraska
    conn=connecticut penna=pennsylvania yunayted=united yunaited=united siti=city taun=town redzu=reds tsska=cska tska=cska
    csca=cska unayted=united yunaitetdo=united shiti=city maccaby=maccabi makkabi=maccabi makabi=maccabi hapuel=hapoel
    shahter=shakhtar shakhter=shakhtar shakhtyor=shakhtar soxs=sox rep=republic sarajeyvo=sarajevo fk=fk albn=albion
    hotspurs=hotspur albirex=albirex
    """.split()
)
#: Words that names of teams not known yet are made of: such a name is a placeholder.
PLACEHOLDER_WORDS: Final = frozenset(
    """
    tbd tba tbc tbds unknown home away hometeam awayteam opponent qualifier qualifiers winner loser bye player team pending
    of match game group quarter semi final finalist qf sf to be determined decided announced confirmed runner up runnerup
    pobeditel proigravshiy khozyaeva gosti komanda gruppa polufinal chetvertfinal neizvestno shengzhe zhudui kedui seungja
    ganador perdedor vencedor sieger verlierer vainqueur perdant gagnant vincente finalista semifinal quarterfinal
    """.split()
)
#: States and countries that a town is named after: Kansas City is not Kansas.
NAMESAKES: Final = frozenset({"kansas", "oklahoma", "new york", "mexico", "panama", "guatemala", "jersey", "iowa"})
