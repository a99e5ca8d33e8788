"""Towns, states and names that several clubs share. Data only.

What a longer name adds to a shorter one decides whether both are one club: its town or a sponsor may be left out, anything else
may be another club.
"""

from __future__ import annotations

from typing import Final


def _listed(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.replace("\n", ",").split(",") if part.strip())


#: Towns and countries that are left out of the name of a club as often as not (Rubin Kazan).
PLACES: Final = _listed(
    """
    kazan, istanbul, ankara, izmir, bursa, konya, antalya, lviv, kharkiv, odessa, odesa, poltava, zaporizhzhia, luhansk
    lugansk, kryvyi rih, dnipro, donetsk, kyiv, cordoba, rosario, la plata, avellaneda, mendoza, santa fe, buenos aires
    tucuman, salta, novi sad, belgrade, subotica, krusevac, backa topola, surdulica, ivanjica, cacak, kragujevac, nis, zagreb
    split, rijeka, osijek, varazdin, ljubljana, maribor, celje, sarajevo, mostar, banja luka, tuzla, zenica, podgorica, skopje
    tirana, pristina, samara, kaliningrad, grozny, groznyy, omsk, cherepovets, chelyabinsk, yekaterinburg, ekaterinburg, ufa
    magnitogorsk, novosibirsk, khabarovsk, vladivostok, nizhnekamsk, podolsk, yaroslavl, nizhny novgorod, sochi, rostov
    krasnodar, voronezh, tula, tambov, orenburg, perm, tyumen, saratov, volgograd, krasnoyarsk, saint petersburg, petersburg
    moscow, moskovskaya, astana, almaty, karaganda, aktobe, minsk, brest, grodno, gomel, vitebsk, borisov, soligorsk, baku
    tbilisi, batumi, kutaisi, yerevan, tashkent, riga, tallinn, vilnius, kaunas, panevezys, klaipeda, tartu, jurmala, liepaja
    ventspils, warsaw, cracow, poznan, wroclaw, gdansk, gdynia, lodz, katowice, bialystok, szczecin, zabrze, gliwice, plock
    kielce, lublin, prague, brno, ostrava, plzen, olomouc, liberec, teplice, pardubice, hradec kralove, zlin, bratislava
    trnava, zilina, kosice, budapest, debrecen, szekesfehervar, felcsut, gyor, miskolc, pecs, kecskemet, veszprem, szeged
    bucharest, cluj, craiova, ploiesti, iasi, sibiu, arad, timisoara, constanta, sofia, plovdiv, varna, burgas, razgrad
    stara zagora, kardzhali, vratsa, pleven, athens, piraeus, thessaloniki, agrinio, tripoli, heraklion, larissa, volos, crete
    xanthi, patras, nicosia, limassol, larnaca, paphos, famagusta, jerusalem, tel aviv, haifa, netanya, ashdod, beer sheva
    petah tikva, holon, herzliya, rishon, tallin, oslo, bergen, trondheim, stavanger, stockholm, gothenburg, malmo, uppsala
    copenhagen, aarhus, aalborg, odense, herning, helsinki, turku, tampere, reykjavik, enschede, alkmaar, arnhem, rotterdam
    amsterdam, eindhoven, tilburg, breda, deventer, doetinchem, almelo, kerkrade, sittard, venlo, leeuwarden, heerenveen
    brussels, bruges, ghent, gent, antwerp, liege, leuven, charleroi, waregem, kortrijk, ostend, mechelen, lisbon, lisboa
    porto, guimaraes, braga, setubal, funchal, faro, ponta delgada, madrid, seville, valencia, bilbao, vigo, zaragoza, malaga
    san sebastian, vitoria, pamplona, murcia, granada, cadiz, girona, turin, milan, rome, genoa, florence, naples, verona
    bergamo, bologna, brescia, sassari, venice, trento, treviso, varese, paris, lyon villeurbanne, villeurbanne, lyon
    marseille, lille, bordeaux, nantes, toulouse, montpellier, strasbourg, nancy, munich, berlin, hamburg, cologne, frankfurt
    stuttgart, dortmund, bremen, hannover, leipzig, dresden, nuremberg, bonn, ulm, vienna, graz, linz, salzburg, innsbruck
    klagenfurt, zurich, bern, basel, geneva, lugano, lausanne, lucerne, saint gallen, london, glasgow, edinburgh, dublin, cork
    belfast, cardiff, manchester, liverpool, birmingham, leeds, newcastle, sydney, melbourne, brisbane, perth, adelaide
    wellington, auckland, osaka, tokyo, nagoya, hiroshima, kobe, yokohama, sapporo, seoul, beijing, shanghai, guangzhou
    shenzhen, tianjin, wuhan, riyadh, jeddah, mecca, dammam, buraidah, doha, dubai, abu dhabi, cairo, casablanca, rabat, tunis
    algiers, tehran, isfahan, tabriz, sao paulo, rio de janeiro, rio, porto alegre, curitiba, belo horizonte, salvador
    fortaleza, recife, goiania, florianopolis, campinas, santiago, montevideo, asuncion, lima, quito, guayaquil, bogota
    medellin, caracas, la paz, sucre, mexico city, monterrey, hana, warringah, sutherland, bankstown
    """
)
#: Names of sponsors, and words as general as FC: they name no other team.
SPONSORS: Final = _listed(
    """
    caykur, hana, tiger, segafredo, movistar, beko, ea7, emporio, armani, orlen, gas, sales, sir, safety, allianz, telekom
    anadolu, playtika, bank, yahav, aktor, mytelecom, meridianbet, mozzart, bet, umana, germani, bertram, vero, volley, industria
    pick, saski, ihud, clan, ldlc, handewitt, sarsfield, balompie, praia, rana, ratiopharm, mhp, ewe
    rostelecom, itas, sada, cucine, lube, valsa, rebecchi, leo, shoes, bitci, yukatel, corendon, atakas
    mondihome, tumosan, trendyol, bellona, pepsi, coca cola, spor, kulubu, of, club, klub, oyak
    """
)
#: Words in front of a town that name one of its clubs: without them the town's other club may be meant.
PATRONS: Final = _listed(
    """
    dynamo, dinamo, lokomotiv, spartak, zenit, torpedo, cska, shakhtar, metalist, partizan, maccabi, hapoel, borussia, fortuna
    eintracht, hertha, union, racing, sporting, independiente, estudiantes, libertad, viktoria, austria, rapid, slavia, sparta
    ajax, celtic, hearts, villa, palace, forest, olympique, stade, nacional
    """
)
#: Names of clubs in several places: one that adds a word is another club as likely as not.
SHARED_NAMES: Final = _listed(
    """
    universitario, bohemians, bohemian, olimpija, red star, flora, kalev, arsenal, barcelona, liverpool, everton, santos
    guarani, botafogo, nacional, independiente, racing, racing club, river plate, river, san martin, san lorenzo, estudiantes
    gimnasia, talleres, belgrano, universidad catolica, catolica, america, atletico, athletic, olimpia, cerro, libertad
    bolivar, aurora, sarmiento, union, colon, huracan, sporting, sporting cristal, real, deportivo, juventud, juventude
    wanderers, rangers, rovers, united, city, dynamo, dinamo, spartak, lokomotiv, zenit, torpedo, rapid, steaua, cska, partizan
    slavia, sparta, slovan, viktoria, victoria, fortuna, borussia, eintracht, hertha, austria, olympiacos, olympiakos, aris
    aek, ael, apollon, ethnikos, panserraikos, maccabi, hapoel, beitar, bnei, inter, internacional, milan, valencia, chelsea
    fluminense, corinthians, vitoria, sao jose, operario, ferroviaria, portuguesa, comercial, sport, nautico, penarol, danubio
    defensor, central, defensores, ferro, temperley, tigre, colo colo, audax, palestino, cobresal, alianza, alianza lima
    melgar, municipal, motagua, marathon, saprissa, herediano, aguila, fas, leon, pachuca, atlas, tigres, guadalajara, morelia
    cruz azul, queens park, st george, albion, victory, phoenix, hercules, germania, preussen, kickers, concordia, arminia
    wacker, admira, olimpik, olimpija, buducnost, radnicki, sloboda, borac, zeljeznicar, jedinstvo, mladost, napredak, proleter
    hajduk, vardar, pobeda, shkendija, drita, vllaznia, flamurtari, metalurg, metallurg, shakhter, neftchi, navbahor
    dinamo bucharest, petrolul, gloria, progresul, steagul, botev, cherno more, levski, beroe, minyor, marek, persepolis
    esteghlal, tractor, sepahan, foolad, zob ahan, pyramids, ittihad, ahli, hilal, nasr, shabab, wahda, arabi, ettifaq, ansar
    star, stars, eagles, lions, tigers, united stars, young boys, grasshopper, excelsior, sparta rotterdam, willem, be quick
    """
)
#: Surnames of several players of a sport, and initials that do not distinguish them.
SHARED_SURNAMES: Final = _listed(
    """
    williams, zverev, cerundolo, andreeva, pliskova, ymer, tsitsipas, kudermetova, murray, zhang, zheng, smith, jones, johnson
    brown, taylor, martin, garcia, lopez, gonzalez, rodriguez, fernandez, hernandez, martinez, perez, sanchez, silva, mcenroe
    bryan, wang, radwanska, bondarenko, chang, rodionova, black, skupski, harrison, fruhvirtova, kovacevic, safin, muller
    mueller, white, allen, wilson, walker, evans, thompson, robertson, huang, suzuki, tanaka, sato, nguyen, singh, kumar
    ivanov, ivanova, petrov, petrova, popov, popova, kuznetsov, kuznetsova, novak, svoboda, kovac, horvath, hansen, larsen
    jensen, nielsen, schmidt, wagner, young, chen, zhao, yang, chan, wong, park, choi, jung
    """
)
SHARED_INITIALS: Final = {"pliskova": {"k"}, "wang": {"x", "y", "q"}, "zhang": {"z", "s", "y"}, "chen": {"l", "y"}, "lee": {"c"}}
#: Towns with several clubs of one sport: the town's name alone may mean any of them.
_SHARED_TOWNS: Final = _listed(
    """
    manchester, sheffield, bristol, dundee, madrid, moscow, kyiv, belgrade, istanbul, london, sydney, melbourne, buenos aires
    rio, sao paulo, belfast, tel aviv, haifa, bucharest, sofia, prague, new york, los angeles, oxford, cambridge, york
    bath, glasgow, edinburgh, birmingham, nottingham, munich, berlin, hamburg, cologne, frankfurt, leipzig, stuttgart, brest
    cordoba, vienna, graz, linz, klagenfurt, cluj, craiova, plovdiv, burgas, poznan, lodz, cracow, warsaw, gdansk, zagreb
    split, kharkiv, odessa, minsk, tbilisi, baku, yerevan, almaty, tashkent, ankara, izmir, athens, thessaloniki, piraeus
    nicosia, limassol, larnaca, jerusalem, seville, lisbon, turin, rome, genoa, verona, paris, stockholm, gothenburg
    copenhagen, oslo, helsinki, turku, brussels, bruges, antwerp, liege, rotterdam, eindhoven, mechelen, belo horizonte
    porto alegre, curitiba, salvador, recife, fortaleza, florianopolis, santiago, montevideo, asuncion, lima, quito, guayaquil
    bogota, cali, medellin, caracas, la paz, mexico, monterrey, cairo, casablanca, rabat, tunis, algiers, alger, oran, riyadh
    jeddah, doha, dubai, abu dhabi, sharjah, tehran, isfahan, tabriz, jakarta, bangkok, hanoi, adelaide, perth, brisbane
    wellington, auckland, osaka, tokyo, yokohama, seoul, suwon, busan, beijing, shanghai, guangzhou, shenzhen, tianjin, wuhan
    tucuman, mendoza, rosario, san juan, santa fe, la plata, avellaneda, bastia, ajaccio, rostov, krasnodar, logrones, merida
    gijon, wimbledon, limerick, cork, dublin
    """
)
_BIG_TOWNS: Final = _listed(
    """
    manchester, sheffield, bristol, dundee, madrid, moscow, kyiv, belgrade, istanbul, london, buenos aires, rio, sao paulo
    belfast, tel aviv, haifa, bucharest, sofia, prague, new york, los angeles
    """
)
_TOWNS_OF_SPORT: Final = {
    "cricket": frozenset({"mumbai", "delhi", "punjab", "rajasthan", "gujarat", "hyderabad", "sydney", "melbourne"}),
    "baseball": frozenset({"new york", "los angeles", "chicago"}),
    "american_football": frozenset({"new york", "los angeles"}),
    "ice_hockey": frozenset({"new york", "moscow"}),
    "basketball": frozenset({"new york", "los angeles", "belgrade", "istanbul", "tel aviv", "moscow"}),
}
_ARABIC: Final = "al "


def is_shared_town(name: str, sport: str) -> bool:
    """Check whether a name is only that of a town with several teams."""
    return name in (_SHARED_TOWNS if sport == "football" else _TOWNS_OF_SPORT.get(sport, _BIG_TOWNS))


def is_shared_name(name: str) -> bool:
    """Check whether clubs of several places bear a name, as is likely of an Arabic one."""
    return name in SHARED_NAMES or (name.startswith(_ARABIC) and name.count(" ") == 1)
