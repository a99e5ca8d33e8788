"""Clubs whose names are like those of others, so that both are known and never taken for each other. Data only."""

from __future__ import annotations

from typing import Final

#: A line a club: its name, then its other names (see `nicknames`).
NAMESAKES: Final = """
inter miami; inter miami cf, int miami, интер майами, インテル・マイアミ, 迈阿密国际, إنتر ميامي
inter turku
inter limeira; inter de limeira, internacional limeira, internacional de limeira
inter zapresic
internacional palmira
new york city; nycfc, nyc fc, new york city fc, ny city
los angeles fc; lafc, la fc, los angeles football club
atlanta united; atlanta utd
dc united; d.c. united, washington dc united
sporting kansas city; sporting kc, skc
real salt lake; rsl, real sl
seattle sounders; sounders
portland timbers; timbers
san jose earthquakes; sj earthquakes
vancouver whitecaps; whitecaps
st louis city; saint louis city
racing santander; r santander, real racing santander, real racing club santander
racing montevideo; racing club montevideo, racing club de montevideo, racing (uru)
racing cordoba; racing de cordoba
river plate montevideo; river plate (uru), ca river plate montevideo
liverpool montevideo; liverpool (uru), liverpool uru, liverpool fc montevideo
everton vina del mar; everton de vina del mar, everton cd, cd everton, everton (chi)
arsenal sarandi; arsenal de sarandi, arsenal (arg)
arsenal tula; арсенал тула
barcelona guayaquil; barcelona sc, barcelona ecuador, barcelona sc guayaquil, barcelona (ecu), barcelona sporting club
nacional montevideo; club nacional, nacional (uru), nacional uruguay
atletico nacional; atl nacional, atletico nacional medellin
nacional madeira; nacional da madeira, nacional (por), cd nacional, nacional funchal
nacional asuncion; nacional (par)
independiente medellin; dim, ind medellin
independiente santa fe; santa fe bogota
independiente valle; independiente del valle, ind del valle, idv
independiente rivadavia; ind rivadavia, independiente mendoza
independiente petrolero
estudiantes la plata; estudiantes lp, estudiantes de la plata
estudiantes merida; estudiantes de merida
estudiantes rio cuarto; estudiantes rc
gimnasia la plata; gimnasia lp, gimnasia y esgrima la plata, gimnasia
gimnasia mendoza; gimnasia de mendoza
gimnasia jujuy
san martin san juan; san martin sj, san martin de san juan, s martin san juan
san martin tucuman; san martin t, san martin de tucuman
talleres remedios escalada; talleres re, talleres r escalada, talleres de escalada
defensores belgrano; defensores de belgrano, def belgrano
defensores unidos; def unidos
central cordoba santiago; central cordoba, central cordoba sde, central cordoba de santiago
rosario central
universidad catolica; u catolica, univ catolica
universidad catolica quito; universidad catolica (ecu), u catolica (ecu), u catolica quito
universidad chile; universidad de chile, u de chile, u chile
universidad concepcion; universidad de concepcion, u concepcion
atletico paranaense; athletico paranaense, athletico pr, atletico pr, athletico-pr, cap, атлетико паранаэнсе
atletico goianiense; atletico go, atletico-go
america mineiro; america mg, america-mg
america natal; america rn, america-rn
america cali; america de cali
botafogo sp; botafogo ribeirao preto
botafogo pb; botafogo da paraiba
guarani campinas; guarani sp, guarani (bra)
guarani asuncion; guarani (par), club guarani
santos laguna; club santos laguna
bragantino; red bull bragantino, rb bragantino
vitoria guimaraes; vitoria sc, guimaraes, v guimaraes, vitoria de guimaraes
vitoria setubal; v setubal, vitoria fc
vitoria salvador; vitoria ba, ec vitoria
sporting gijon; sp gijon, real sporting de gijon
sporting charleroi; charleroi, royal charleroi
sporting cristal; cristal lima
athletic club mg; athletic mg
cercle brugge; cercle bruges, c brugge
club nxt; club brugge ii
rsca futures; anderlecht ii
rapid bucharest; rapid bucuresti, fc rapid 1923
dinamo bucharest; dinamo bucuresti
dinamo tbilisi; динамо тбилиси
dinamo brest; динамо брест
dinamo minsk; динамо минск
dynamo dresden; dresden, sg dynamo dresden
fcsb; steaua bucuresti fcsb
steaua bucharest; csa steaua, csa steaua bucuresti, steaua bucuresti
cfr cluj; cfr 1907 cluj, fc cfr 1907 cluj
universitatea cluj; u cluj
universitatea craiova; cs universitatea craiova, csu craiova, cs u craiova
craiova 1948; fc u craiova 1948, fcu 1948 craiova, fcu craiova, u craiova 1948, u craiova
queens park;  queens park glasgow
queen south; queen of the south
united manchester; fc united, fc united manchester, fc united of manchester
wolfsberger; wolfsberg, wolfsberger ac, wolfsberg ac
fsv frankfurt
1860 munich; tsv 1860 munich, munich 1860, 1860 munchen, tsv 1860 munchen, munchen 1860
viktoria koln; viktoria cologne, fc viktoria koln
fortuna koln; fortuna cologne, sc fortuna koln
fortuna dusseldorf; dusseldorf
stuttgarter kickers; stuttgart kickers, kickers stuttgart
lokomotive leipzig; lok leipzig, lokomotiv leipzig
chemie leipzig
eintracht braunschweig; braunschweig, e braunschweig
austria vienna; austria wien, fk austria wien
austria klagenfurt
austria lustenau
spartak subotica
spartak trnava; trnava
spartak varna; спартак варна
lokomotiv sofia; lok sofia, локомотив софия
lokomotiv plovdiv; lok plovdiv, локомотив пловдив
lokomotiv tashkent
botev plovdiv; ботев пловдив
botev vratsa
slavia sofia; славия софия
slovan bratislava; s bratislava
slovan liberec; liberec
sparta rotterdam; sp rotterdam
viktoria plzen; plzen, viktoria pilsen
viktoria zizkov
torpedo moscow; торпедо москва
torpedo kutaisi
zenit penza
partizani tirana; partizani
lech ii
warta poznan
gornik zabrze; zabrze
gornik leczna; leczna
apollon limassol; apollon lemesos
apollon smyrnis; apollon smyrni, apollon athens
aris limassol; aris lemesos
aek larnaca; aek larnaka, αεκ λαρνακας
ael limassol; ael lemesos
ael larissa; larissa, ael larisa, larisa
olympiakos nicosia; olympiakos lefkosias, olympiacos nicosia
ethnikos achna; achnas
panetolikos; panaitolikos, panetolikos agrinio, παναιτωλικος
maccabi bnei reineh; bnei reineh
maccabi petah tikva; m petah tikva, מכבי פתח תקווה
hapoel petah tikva; הפועל פתח תקווה
hapoel ramat gan
hapoel hadera; hadera
bnei sakhnin; sakhnin, בני סכנין
bnei yehuda; בני יהודה
yokohama fc; yokohama football club, 横浜fc, 横滨fc
ys yokohama; ys yokohama
seoul e land; seoul e-land, 서울 이랜드
suwon fc; suwon city, suwon city fc, 수원 fc
suwon bluewings; suwon samsung bluewings, suwon samsung, 수원 삼성
guangzhou city; guangzhou r&f, guangzhou rf
western sydney wanderers; western sydney, ws wanderers, wsw
western united
sydney; sydney fc
melbourne city; melb city
melbourne victory; melb victory
newcastle jets; newcastle united jets, newcastle jets fc
wellington phoenix; phoenix wellington
adelaide united; adelaide utd
perth glory
brisbane roar
macarthur
central coast mariners; cc mariners
al ahli dubai; shabab al ahli, shabab al ahli dubai, شباب الأهلي
al ahli doha; al ahli qatar, al ahli (qat)
al ahli manama; al ahli bahrain
al ahli tripoli; أهلي طرابلس
al hilal omdurman; الهلال السوداني
al nasr dubai; al nasr (uae), النصر الإماراتي
al ittihad alexandria; al ittihad al sakandary, الاتحاد السكندري
al ittihad kalba; kalba, ittihad kalba
al wahda; al wahda abu dhabi, الوحدة
al wehda; al wehda mecca, al wehda club, الوحدة السعودي
al wehdat; الوحدات
al arabi kuwait; al arabi (kuw)
al arabi doha; al arabi qatar, al arabi (qat)
al jazira; al jazira abu dhabi, الجزيرة
al rayyan; الريان
al shabab riyadh; al shabab saudi
esteghlal khuzestan
ismaily; الإسماعيلي
pyramids; pyramids fc, بيراميدز
asante kotoko
far rabat; as far, as far rabat, asfar
fus rabat; fath union sport
wydad casablanca; wydad, wac casablanca
raja casablanca; raja
mc alger; mca, mouloudia alger
usm alger; usma
cr belouizdad; belouizdad
mc oran
asm oran
club africain
esperance tunis; esperance, es tunis, esperance de tunis
etoile sahel; es sahel, etoile du sahel
cs sfaxien; sfax
celtic; celtic glasgow
derry city; derry
cork city
st patricks athletic; st patricks, st pats
albion rovers
stirling albion; stirling
hamilton academical; hamilton, hamilton accies
sheffield fc; sheffield club
oxford city
cambridge city
lincoln city; lincoln
lincoln united
york city
newcastle town
stockport county; stockport
stockport town
queensland lions
paris 13
toulouse; тулуза, toulouse fc, トゥールーズ, 图卢兹
atletico tucuman; atl tucuman
atletico rafaela; rafaela
chievo verona; chievo
ud logrones
sd logrones
ca bastia
sc bastia; bastia
gfc ajaccio; gazelec ajaccio
ac ajaccio; ajaccio
accrington stanley; accrington
crewe alexandra; crewe
dagenham redbridge; dagenham & redbridge, dag & red, dagenham and redbridge
inverness caledonian thistle; inverness, inverness ct, inverness caley thistle, caley thistle, ict
ross county; ross co
milton keynes dons; mk dons
wimbledon; afc wimbledon
velez sarsfield; velez
colon; colon santa fe, colon de santa fe
los angeles galaxy; galaxy, la galaxy
greuther furth; furth, spvgg greuther furth, greuther fuerth
ujpest; ujpest fc
ferencvaros; ferencvarosi, ferencvarosi tc
gyor; gyori eto, eto gyor, győri eto
fehervar; szekesfehervar, videoton, mol fehervar
neftchi; neftci, neftchi baku, neftci baku, нефтчи, neftçi
farjestad; farjestads, farjestads bk
djurgarden; djurgardens, djurgardens if
leksand; leksands, leksands if
hammarby; hammarby if
osters; osters if
asteras tripolis; asteras tripoli, asteras, asteras t, αστερας τριπολης
newells old boys; newells, newell's, newell's old boys
red star paris; red star fc, red star 93
olimpija ljubljana; olimpija, nk olimpija, nk olimpija ljubljana
olimpia asuncion; club olimpia, olimpia (par)
olimpia tegucigalpa; cd olimpia, olimpia (hon)
bohemian; bohemian dublin, bohs, bohemian fc
bohemians prague; bohemians 1905, bohemians praha, bohemians praha 1905
universitario sucre; universitario de sucre
universitario lima; universitario de deportes
hibernians; hibernians paola
akron togliatti; akron tolyatti, акрон, акрон тольятти
oviedo; real oviedo
valladolid; real valladolid
zaragoza; real zaragoza
deportivo coruna; deportivo la coruna, la coruna, dep la coruna, depor
doncaster rovers; doncaster
peterborough united; peterborough, posh
scunthorpe united; scunthorpe
shrewsbury town; shrewsbury
swindon town; swindon
wycombe wanderers; wycombe
tranmere rovers; tranmere
plymouth argyle; plymouth
exeter city; exeter
carlisle united; carlisle
colchester united; colchester
cheltenham town; cheltenham
crawley town; crawley
forest green rovers; forest green
fleetwood town; fleetwood
grimsby town; grimsby
hartlepool united; hartlepool
harrogate town; harrogate
leyton orient; orient
mansfield town; mansfield
northampton town; northampton
newport county; newport
oldham athletic; oldham
salford city; salford
sutton united; sutton
yeovil town; yeovil
torquay united; torquay
southend united; southend
chesterfield
bristol rovers; bristol r
partick thistle; partick
dunfermline athletic; dunfermline
raith rovers; raith
ayr united; ayr
greenock morton; morton
hansa rostock; rostock
st pauli; fc st pauli
darmstadt; darmstadt 98, sv darmstadt 98
hannover; hannover 96
karlsruher; karlsruhe, karlsruher sc, ksc
arminia bielefeld; bielefeld
go ahead eagles; go ahead eagles deventer, ga eagles, g.a. eagles, go ahead
nec nijmegen; nec, nijmegen
rkc waalwijk; rkc, waalwijk
heracles almelo; heracles
genk; krc genk, racing genk
adana demirspor; adana demir
grasshopper; grasshoppers, grasshopper zurich, grasshoppers zurich, grasshopper club zurich, gc zurich
aarhus; agf, agf aarhus
rakow czestochowa; rakow
apoel; apoel nicosia
omonia; omonia nicosia
sampdoria; uc sampdoria
union saint gilloise; union sg, royale union saint gilloise, royale union sg, union st gilloise, union saint-gilloise
sint truiden; st truiden, st. truiden, sint-truidense, stvv
puskas akademia; puskas academy, puskas akademia fc
olimpia milan; olimpia milano, ea7 emporio armani milan, emporio armani milan, armani milan, ea7 milan
virtus bologna; virtus segafredo bologna, segafredo bologna
anadolu efes; efes, efes istanbul, anadolu efes istanbul, анадолу эфес
fakel; fakel voronezh, факел, факел воронеж
baltika; baltika kaliningrad, балтика
juventude; ec juventude, juventude rs
juventud; ca juventud, juventud las piedras
ferroviaria; ferroviaria sp
ferroviario; ferroviario ce
tigre; ca tigre
tigres; tigres uanl, uanl tigres
leon; club leon
"""
#: The country of a club whose name clubs of other countries bear too.
_HOMES: Final = """
argentina: river plate, racing club, independiente, boca juniors
england: arsenal, liverpool, everton, chelsea
spain: barcelona, valencia, real madrid
brazil: santos, botafogo, internacional
italy: inter milan, milan
scotland: rangers, celtic
russia: spartak moscow, cska moscow
ukraine: dynamo kyiv
uruguay: penarol
saudi arabia: al hilal, al nassr
egypt: al ahly
greece: olympiacos
"""
HOMES: Final = {
    name.strip(): country
    for country, _, names in (line.partition(":") for line in _HOMES.strip().splitlines())
    for name in names.split(",")
}
